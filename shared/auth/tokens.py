"""JSON Web Tokens as djangorestframework-simplejwt writes and checks them (HS256)."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Sequence
from typing import Any, Final, Literal

import jwt
from jwt.algorithms import HMACAlgorithm

from shared.clock import Clock
from shared.errors import TokenRejected, TokenWithoutUser
from shared.models import Token
from shared.strict_json import decode

TokenType = Literal["access", "refresh"]

_ALGORITHM: Final = "HS256"
_MAX_LENGTH: Final = 4096  # a longer one is refused unread


class _Hmac(HMACAlgorithm):
    """PyJWT's own, but it checks a key once, not for every token, for whether it is a public key."""

    @functools.lru_cache(maxsize=16)  # noqa: B019 - there is one instance, for the life of the process
    def prepare_key(self, key: str | bytes) -> bytes:
        return super().prepare_key(key)


# Signatures only. The claims are checked below, the times against the injected clock.
_jws: Final = jwt.PyJWS([])
_jws.register_algorithm(_ALGORITHM, _Hmac(HMACAlgorithm.SHA256))

# simplejwt's texts
INVALID: Final = "Token is invalid"
EXPIRED: Final = "Token is expired"
WRONG_TYPE: Final = "Token has wrong type"
BLACKLISTED: Final = "Token is blacklisted"


class TokenCodec:
    """Issues and verifies tokens.

    Args:
        key: signs, and verifies first.
        old_keys: still accepted when verifying.
        clock: the time that tokens are issued and judged at.
    """

    def __init__(self, key: str, old_keys: Sequence[str], clock: Clock) -> None:
        self._keys = (key, *old_keys)
        self._clock = clock

    def issue(self, token_type: TokenType, user_id: int, sid: str | None, lifetime: int) -> tuple[str, Token]:
        """The encoded token and its claims; ``lifetime`` is in seconds."""
        now = self._clock() // 1_000_000
        token = Token(token_type, user_id, secrets.token_hex(16), now, now + lifetime, sid)
        claims: dict[str, object] = {
            "token_type": token_type,
            "exp": token.exp,
            "iat": now,
            "jti": token.jti,
            "user_id": str(user_id),
        }
        if sid is not None:
            claims["sid"] = sid
        return jwt.encode(claims, self._keys[0], _ALGORITHM), token

    def verify(self, encoded: str, token_type: TokenType | None) -> Token:
        """Check signature, times and type (``None``: either); whether it was revoked is for the store to say.

        Raises:
            TokenRejected: with simplejwt's text.
        """
        claims = self._claims(encoded)
        now = self._clock() / 1_000_000
        # PyJWT's checks, then simplejwt's, in their order: a client sees the text of the first that fails.
        if not (
            _is_time(claims.get("iat", 0))
            and _is_time(claims.get("nbf", 0))
            and _is_time(claims.get("exp", 0))
        ):
            raise TokenRejected(INVALID)
        if claims.get("iat", 0) > now or claims.get("nbf", 0) > now:
            raise TokenRejected(INVALID)
        if claims.get("exp", now + 1) <= now:
            raise TokenRejected(EXPIRED)
        if "exp" not in claims:
            raise TokenRejected("Token has no 'exp' claim")
        if "jti" not in claims:
            raise TokenRejected("Token has no id")
        if "token_type" not in claims:
            raise TokenRejected("Token has no type")
        if token_type is not None and claims["token_type"] != token_type:
            raise TokenRejected(WRONG_TYPE)
        return _typed(claims)

    def _claims(self, encoded: str) -> dict[str, Any]:
        if len(encoded) > _MAX_LENGTH:
            raise TokenRejected(INVALID)
        for key in self._keys:
            try:
                claims = decode(_jws.decode(encoded, key, [_ALGORITHM]))
            except jwt.InvalidSignatureError:
                continue
            # ValueError: of Python's json, with which PyJWT reads the header; and MalformedJSON
            except (jwt.PyJWTError, ValueError):
                break
            if isinstance(claims, dict):
                return claims
        raise TokenRejected(INVALID)


def _is_time(value: object) -> bool:
    """Seconds since the epoch; PyJWT's parser lets NaN and Infinity through."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 2**53


def _typed(claims: dict[str, Any]) -> Token:
    """simplejwt writes ``user_id`` as a string, its older versions as a number."""
    user_id, sid, jti, token_type = (claims.get(name) for name in ("user_id", "sid", "jti", "token_type"))
    if isinstance(user_id, str) and user_id.isascii() and user_id.isdigit() and len(user_id) < 19:
        user_id = int(user_id)
    if isinstance(user_id, bool) or not isinstance(user_id, int) or not 0 <= user_id < 2**63:
        raise TokenWithoutUser
    if (
        not isinstance(jti, str)
        or not isinstance(token_type, str)
        or not (sid is None or isinstance(sid, str))
    ):
        raise TokenRejected(INVALID)
    return Token(token_type, user_id, jti, int(claims.get("iat", 0)), int(claims["exp"]), sid)
