"""Tokens that no endpoint issues: expired, forged, incomplete, or of users that do not exist."""

import time
import uuid
from collections.abc import Collection

import jwt

FOREIGN_KEY = "a-key-that-the-server-has-never-seen-" + "f" * 32
GONE_USER = "999999999"


def make_token(
    key: str,
    user_id: str | int,
    kind: str = "access",
    *,
    seconds: int = 3600,
    algorithm: str = "HS256",
    without: Collection[str] = (),
    **more: str | int,
) -> str:
    """A token with simplejwt's claims, apart from those that the caller changes."""
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
        "plain_access": make_token(key, user_id),
        "plain_refresh": make_token(key, user_id, "refresh"),
        "int_user": make_token(key, int(user_id)),
        "expired": make_token(key, user_id, seconds=-60),
        "expired_refresh": make_token(key, user_id, "refresh", seconds=-60),
        "unsigned": make_token(key, user_id, algorithm="none"),
        "unsigned_refresh": make_token(key, user_id, "refresh", algorithm="none"),
        "foreign_key": make_token(FOREIGN_KEY, user_id),
        "foreign_refresh": make_token(FOREIGN_KEY, user_id, "refresh"),
        "other_algorithm": make_token(key, user_id, algorithm="HS512"),
        "tampered": _tampered(make_token(key, user_id)),
        "future": make_token(key, user_id, iat=int(time.time()) + 600),
        "no_user_id": make_token(key, user_id, without=("user_id",)),
        "no_type": make_token(key, user_id, without=("token_type",)),
        "no_jti": make_token(key, user_id, without=("jti",)),
        "no_exp": make_token(key, user_id, without=("exp",)),
        "other_type": make_token(key, user_id, "sliding"),
        "oversized": make_token(key, user_id, padding="x" * 4096),
        "gone_user": make_token(key, GONE_USER),
        "gone_refresh": make_token(key, GONE_USER, "refresh"),
        "inactive_user": make_token(key, inactive_id),
        "inactive_refresh": make_token(key, inactive_id, "refresh"),
    }
