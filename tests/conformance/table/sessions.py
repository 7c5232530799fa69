"""Refresh and verify."""

from ..shapes import Answer, Case
from .build import answer, case

_GONE: Answer = answer(
    401, {"detail": "No active account found for the given token.", "code": "no_active_account"}
)
_BLACKLISTED: Answer = answer(401, {"detail": "Token is blacklisted", "code": "token_not_valid"})
_INVALID: Answer = answer(401, {"detail": "Token is invalid", "code": "token_not_valid"})
_OVERSIZED = "a token over 4 KiB is refused unread"

_VALUES = {
    "null": "null",
    "blank": '""',
    "spaces": '"  "',
    "number": "5",
    "true": "true",
    "list": "[]",
    "object": "{}",
    "NUL": r'"a\u0000"',
    "garbage": '"garbage"',
    "three parts": '"a.b.c"',
    "unicode": '"é.è.ê"',
}
_REFRESH_TOKENS = {
    "of simplejwt": "plain_refresh",
    "expired": "expired_refresh",
    "of the access type": "access",
    "of another type": "other_type",
    "unsigned": "unsigned_refresh",
    "signed with another key": "foreign_refresh",
    "that was logged out": "blacklisted_refresh",
    "expired, of the access type": "expired",
}
_VERIFY_TOKENS = {
    "access": "access",
    "refresh": "refresh",
    "of simplejwt": "plain_access",
    "of another type": "other_type",
    "expired": "expired",
    "expired refresh": "expired_refresh",
    "unsigned": "unsigned",
    "signed with another key": "foreign_key",
    "signed with another algorithm": "other_algorithm",
    "with a changed signature": "tampered",
    "issued in the future": "future",
}

_REFRESH: list[Case] = [
    case("refresh: right", "POST", "/token-refresh/", {"refresh": "{refresh}"}, auth=None, fresh=True),
    case(
        "refresh: spaces around", "POST", "/token-refresh/", {"refresh": " {refresh} "}, auth=None, fresh=True
    ),
    case("refresh: empty object", "POST", "/token-refresh/", {}, auth=None),
    case("refresh: under another name", "POST", "/token-refresh/", {"token": "{refresh}"}, auth=None),
    *(
        case(f"refresh: {name}", "POST", "/token-refresh/", raw=f'{{"refresh": {value}}}', auth=None)
        for name, value in _VALUES.items()
    ),
    *(
        case(f"refresh: token {name}", "POST", "/token-refresh/", {"refresh": f"{{{key}}}"}, auth=None)
        for name, key in _REFRESH_TOKENS.items()
    ),
    case(
        "refresh: token of a user that is gone",
        "POST",
        "/token-refresh/",
        {"refresh": "{gone_refresh}"},
        auth=None,
        contract=_GONE,
        why="the original fell over (status 500)",
    ),
    case(
        "refresh: token of an inactive user",
        "POST",
        "/token-refresh/",
        {"refresh": "{inactive_refresh}"},
        auth=None,
        contract=_GONE,
        why="no_active_account has its code here, as every answer of this row",
    ),
]

_VERIFY: list[Case] = [
    case("verify: empty object", "POST", "/token-verify/", {}, auth=None),
    case("verify: spaces around", "POST", "/token-verify/", {"token": " {access} "}, auth=None),
    *(
        case(f"verify: {name}", "POST", "/token-verify/", raw=f'{{"token": {value}}}', auth=None)
        for name, value in _VALUES.items()
    ),
    *(
        case(f"verify: token {name}", "POST", "/token-verify/", {"token": f"{{{key}}}"}, auth=None)
        for name, key in _VERIFY_TOKENS.items()
    ),
    case(
        "verify: token over 4 KiB",
        "POST",
        "/token-verify/",
        {"token": "{oversized}"},
        auth=None,
        contract=_INVALID,
        why=_OVERSIZED,
    ),
    case(
        "verify: refresh token that was logged out",
        "POST",
        "/token-verify/",
        {"token": "{blacklisted_refresh}"},
        auth=None,
        contract=_BLACKLISTED,
        why="verify knows of logouts (simplejwt's looks only under BLACKLIST_AFTER_ROTATION)",
    ),
    case(
        "verify: access token that was logged out",
        "POST",
        "/token-verify/",
        {"token": "{revoked_access}"},
        auth=None,
        contract=_BLACKLISTED,
        why="logging out ends the access tokens of the family too",
    ),
    case(
        "verify: token of a user that is gone",
        "POST",
        "/token-verify/",
        {"token": "{gone_user}"},
        auth=None,
        contract=_GONE,
        why="the contract has one row for refresh and verify, user gone included",
    ),
]

CASES: list[Case] = [*_REFRESH, *_VERIFY]
