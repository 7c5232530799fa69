"""Tokens: simplejwt's format both ways, and everything that must not pass."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from typing import Any

import jwt
import pytest

from shared.auth.tokens import TokenCodec
from shared.errors import TokenRejected, TokenWithoutUser

KEY = "a-key-for-the-tests-of-more-than-32-bytes"
OTHER = "another-key-for-the-tests-of-32-bytes-or-more"
NOW = 1_795_362_300  # a few seconds after the recorded tokens were made
SID = "5" * 32

# Recorded from djangorestframework-simplejwt (SIGNING_KEY = KEY): two access tokens and a refresh token.
SIMPLEJWT_ACCESS = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjoxNzk1MzYyNTk0LCJpYXQiOjE3OTUzNjIy"
    "OTQsImp0aSI6ImJlNDMxNDgyY2RhYjQwNTk4MzVmZTRlYjExNGM5MjI4IiwidXNlcl9pZCI6IjcifQ."
    "NUuwWo_vFWbC2CT7eCnoDduOYvDeSxgdgPXnWjeTMEs"
)
SIMPLEJWT_ACCESS_OF_A_NUMBER = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjoxNzk1MzYyNTk0LCJpYXQiOjE3OTUzNjIy"
    "OTQsImp0aSI6IjI3ODY1NDBhNjM4YjRiNDM4NGE1MDZmMjhlZTdmZWRkIiwidXNlcl9pZCI6N30."
    "460MucDApV31ksejwArwi6pelA7xd3Ws9eBK6rKY_HI"
)
SIMPLEJWT_REFRESH = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoicmVmcmVzaCIsImV4cCI6MTc5NTQ0ODY5NCwiaWF0IjoxNzk1MzYy"
    "Mjk0LCJqdGkiOiI0YWY2MTg3NTdlMzQ0YjA4OTAyMzI2OWE5NTdmNTNjNiIsInVzZXJfaWQiOiI3In0."
    "NfV4jJulhKmc2-ANZCnqFYONy27gTWDOGT7Jf3w_0MQ"
)


class Clock:
    def __init__(self, seconds: float = NOW) -> None:
        self.seconds = seconds

    def __call__(self) -> int:
        return int(self.seconds * 1_000_000)


def codec(key: str = KEY, old: tuple[str, ...] = (), clock: Clock | None = None) -> TokenCodec:
    return TokenCodec(key, old, clock or Clock())


def claims(**changed: Any) -> dict[str, Any]:
    """Good ones, with some changed; ``None`` leaves a claim out."""
    good = {
        "token_type": "access",
        "exp": NOW + 60,
        "iat": NOW - 1,
        "jti": "0" * 32,
        "user_id": "7",
        "sid": SID,
    }
    return {name: value for name, value in {**good, **changed}.items() if value is not None}


def signed(key: str = KEY, **changed: Any) -> str:
    return jwt.encode(claims(**changed), key, "HS256")


def by_hand(header: object, payload: object, signature: bytes = b"") -> str:
    def part(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

    return ".".join([part(json.dumps(header).encode()), part(json.dumps(payload).encode()), part(signature)])


def rejection(token: str, token_type: Any = "access", by: TokenCodec | None = None) -> str:
    with pytest.raises(TokenRejected) as rejected:
        (by or codec()).verify(token, token_type)
    return rejected.value.message


@pytest.mark.parametrize("token_type", ["access", "refresh"])
def test_issued_token_has_the_claims_of_simplejwt_and_the_family(token_type: Any) -> None:
    encoded, token = codec().issue(token_type, 7, SID, 60)
    assert jwt.get_unverified_header(encoded) == {"alg": "HS256", "typ": "JWT"}
    written = jwt.decode(encoded, options={"verify_signature": False})
    assert written == {
        "token_type": token_type,
        "exp": NOW + 60,
        "iat": NOW,
        "jti": token.jti,
        "user_id": "7",
        "sid": SID,
    }
    assert re.fullmatch(r"[0-9a-f]{32}", token.jti)
    assert codec().verify(encoded, token_type) == token
    assert codec().verify(encoded, None) == token


def test_every_token_has_an_id_of_its_own() -> None:
    issuer = codec()
    assert len({issuer.issue("access", 7, SID, 60)[1].jti for _ in range(100)}) == 100


def test_simplejwts_own_tokens_are_accepted() -> None:
    for encoded, token_type in ((SIMPLEJWT_ACCESS, "access"), (SIMPLEJWT_REFRESH, "refresh")):
        token = codec().verify(encoded, token_type)  # type: ignore[arg-type]
        assert (token.user_id, token.sid, token.token_type, token.iat) == (7, None, token_type, 1795362294)
    assert codec().verify(SIMPLEJWT_ACCESS_OF_A_NUMBER, "access").user_id == 7


def test_simplejwts_own_tokens_expire() -> None:
    assert rejection(SIMPLEJWT_ACCESS, by=codec(clock=Clock(1795362594))) == "Token is expired"
    codec(clock=Clock(1795362593.999999)).verify(SIMPLEJWT_ACCESS, "access")


def test_token_expires_exactly_at_exp() -> None:
    clock = Clock()
    by = codec(clock=clock)
    encoded, _ = by.issue("access", 7, SID, 60)
    clock.seconds = NOW + 59.999_999
    by.verify(encoded, "access")
    for clock.seconds in (NOW + 60, NOW + 60.000_001, NOW + 10**9):
        assert rejection(encoded, by=by) == "Token is expired"


def test_clock_that_was_set_back_does_not_accept_tokens_of_the_future() -> None:
    clock = Clock()
    encoded, _ = codec(clock=clock).issue("access", 7, SID, 60)
    clock.seconds = NOW - 1
    assert rejection(encoded, by=codec(clock=clock)) == "Token is invalid"


def test_token_signed_with_another_key_is_invalid() -> None:
    assert rejection(signed(OTHER)) == "Token is invalid"


def test_old_keys_are_accepted_and_never_signed_with() -> None:
    rotated = codec(OTHER, ("x" * 32, KEY))
    assert rotated.verify(signed(KEY), "access").user_id == 7
    assert rotated.verify(signed(OTHER), "access").user_id == 7
    encoded, _ = rotated.issue("access", 7, SID, 60)
    codec(OTHER).verify(encoded, "access")
    assert rejection(encoded, by=codec(KEY)) == "Token is invalid"


def test_old_key_keeps_no_expired_token_alive() -> None:
    assert rejection(signed(KEY, exp=NOW - 1), by=codec(OTHER, (KEY,))) == "Token is expired"


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", None])
def test_unsigned_tokens_are_invalid(algorithm: str | None) -> None:
    header = {"typ": "JWT"} if algorithm is None else {"alg": algorithm, "typ": "JWT"}
    assert rejection(by_hand(header, claims())) == "Token is invalid"


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_other_algorithms_of_the_same_key_are_invalid(algorithm: str) -> None:
    encoded = jwt.encode(claims(), KEY * 2, algorithm)
    assert rejection(encoded, by=codec(KEY * 2)) == "Token is invalid"


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "PS256", "EdDSA", "HS512"])
def test_header_cannot_choose_the_algorithm(algorithm: str) -> None:
    """A good HMAC signature under another algorithm's name, as in the confusion of RSA's public key with a secret."""
    unsigned = by_hand({"alg": algorithm, "typ": "JWT"}, claims()).rpartition(".")[0]
    signature = hmac.new(KEY.encode(), unsigned.encode(), hashlib.sha256).digest()
    encoded = f"{unsigned}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    assert rejection(encoded) == "Token is invalid"


def test_tampered_payload_is_invalid() -> None:
    header, _, signature = signed().split(".")
    payload = by_hand({}, claims(user_id="8")).split(".")[1]
    assert rejection(f"{header}.{payload}.{signature}") == "Token is invalid"


@pytest.mark.parametrize("position", range(0, 200, 13))
def test_any_flipped_character_is_noticed(position: int) -> None:
    encoded = signed()
    position %= len(encoded) - 1  # the last one has bits that mean nothing
    flipped = "A" if encoded[position] != "A" else "B"
    assert rejection(encoded[:position] + flipped + encoded[position + 1 :]) == "Token is invalid"


def test_token_of_the_other_type_is_refused() -> None:
    assert rejection(signed(token_type="refresh")) == "Token has wrong type"
    assert rejection(signed(), "refresh") == "Token has wrong type"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"exp": None}, "Token has no 'exp' claim"),
        ({"jti": None}, "Token has no id"),
        ({"token_type": None}, "Token has no type"),
        ({"token_type": 5}, "Token has wrong type"),
        ({"jti": 5}, "Token is invalid"),
        ({"sid": 5}, "Token is invalid"),
        ({"sid": "\ud800"}, "Token is invalid"),
        ({"jti": "a\udfff"}, "Token is invalid"),
        ({"token_type": "\ud800"}, "Token is invalid"),
        ({"user_id": "\udc80"}, "Token is invalid"),
        ({"never_heard_of": {"a": ["\ud800"]}}, "Token is invalid"),
        ({"never_heard_of": float("nan")}, "Token is invalid"),
        ({"exp": 2**53}, "Token is invalid"),
        ({"exp": 1e300}, "Token is invalid"),
        ({"iat": -(10**30)}, "Token is invalid"),
        ({"exp": "soon"}, "Token is invalid"),
        ({"exp": True}, "Token is invalid"),
        ({"exp": 10**400}, "Token is invalid"),
        ({"exp": float("inf")}, "Token is invalid"),
        ({"exp": float("nan")}, "Token is invalid"),
        ({"iat": "then"}, "Token is invalid"),
        ({"iat": NOW + 1}, "Token is invalid"),
        ({"nbf": NOW + 1}, "Token is invalid"),
        ({"nbf": []}, "Token is invalid"),
    ],
)
def test_bad_claims_are_refused_with_simplejwts_messages(changed: dict[str, Any], message: str) -> None:
    assert rejection(signed(**changed)) == message


@pytest.mark.parametrize(
    "user_id", ["", "x", "7.0", "-7", "٧", "1" * 30, -1, 2**63, True, 7.5, [7], {"a": 7}]
)
def test_token_that_names_no_user_says_so(user_id: object) -> None:
    with pytest.raises(TokenWithoutUser):
        codec().verify(signed(user_id=user_id), "access")


def test_token_of_more_than_4_kib_is_refused_unread() -> None:
    fitting = signed(padding="x" * 2600)
    assert 3600 < len(fitting) <= 4096
    codec().verify(fitting, "access")
    assert rejection(signed(padding="x" * 3000)) == "Token is invalid"
    assert rejection("x" * 10_000_000) == "Token is invalid"


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "...", "a.b.c", "\0", "é" * 10, "\ud800", " ", "null", by_hand([], []), by_hand({}, {})],
)
def test_what_is_no_token_is_invalid(text: str) -> None:
    assert rejection(text) == "Token is invalid"


@pytest.mark.parametrize("payload", [[], "text", 5, None])
def test_signed_payload_that_is_no_object_is_invalid(payload: object) -> None:
    encoded = jwt.PyJWS().encode(json.dumps(payload).encode(), KEY, "HS256")
    assert rejection(encoded) == "Token is invalid"


def test_deeply_nested_payload_is_invalid() -> None:
    payload = b"[" * 1400 + b"]" * 1400
    assert rejection(jwt.PyJWS().encode(payload, KEY, "HS256")) == "Token is invalid"


@pytest.mark.parametrize("depth", [63, 64])
def test_claims_nest_no_deeper_than_other_json(depth: int) -> None:
    more: object = 1
    for _ in range(depth):
        more = [more]
    if depth < 64:  # the claims themselves are a level
        codec().verify(signed(more=more), "access")
    else:
        assert rejection(signed(more=more)) == "Token is invalid"
