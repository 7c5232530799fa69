"""Tokens that no endpoint hands out: expired, forged, incomplete, for users that are not there."""

import time
import uuid
from collections.abc import Collection

import jwt

FOREIGN_KEY = "a-key-that-the-server-has-never-seen-" + "f" * 32
GONE_USER = "999999999"


def made(
    key: str,
    user_id: str | int,
    kind: str = "access",
    *,
    seconds: int = 3600,
    algorithm: str = "HS256",
    without: Collection[str] = (),
    **more: str | int,
) -> str:
    """A token with the claims that simplejwt writes, apart from what the caller changes."""
    now = int(time.time())
    claims: dict[str, str | int] = {
        "token_type": kind,
        "exp": now + seconds,
        "iat": min(now, now + seconds),
        "jti": uuid.uuid4().hex,
        "user_id": user_id,
        **more,
    }
    return jwt.encode(
        {name: value for name, value in claims.items() if name not in without},
        None if algorithm == "none" else key,
        algorithm=algorithm,
    )


def _tampered(token: str) -> str:
    """The token with the first character of its signature changed."""
    head, claims, signature = token.split(".")
    return f"{head}.{claims}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


def special_tokens(key: str, user_id: str, inactive_id: str) -> dict[str, str]:
    return {
        "plain_access": made(key, user_id),
        "plain_refresh": made(key, user_id, "refresh"),
        "int_user": made(key, int(user_id)),
        "expired": made(key, user_id, seconds=-60),
        "expired_refresh": made(key, user_id, "refresh", seconds=-60),
        "unsigned": made(key, user_id, algorithm="none"),
        "unsigned_refresh": made(key, user_id, "refresh", algorithm="none"),
        "foreign_key": made(FOREIGN_KEY, user_id),
        "foreign_refresh": made(FOREIGN_KEY, user_id, "refresh"),
        "other_algorithm": made(key, user_id, algorithm="HS512"),
        "tampered": _tampered(made(key, user_id)),
        "future": made(key, user_id, iat=int(time.time()) + 600),
        "no_user_id": made(key, user_id, without=("user_id",)),
        "no_type": made(key, user_id, without=("token_type",)),
        "no_jti": made(key, user_id, without=("jti",)),
        "no_exp": made(key, user_id, without=("exp",)),
        "other_type": made(key, user_id, "sliding"),
        "oversized": made(key, user_id, padding="x" * 4096),
        "gone_user": made(key, GONE_USER),
        "gone_refresh": made(key, GONE_USER, "refresh"),
        "inactive_user": made(key, inactive_id),
        "inactive_refresh": made(key, inactive_id, "refresh"),
    }
