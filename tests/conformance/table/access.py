"""What may be accepted and who may ask: the Accept and Authorization headers."""

from ..shapes import Answer, Case
from .build import FIRST_TASK, answer, case

_TASK = "/task/{task}/"
_FIRST: Answer = answer(200, FIRST_TASK)
_SCHEME = "the scheme is accepted in any case"

# Not on `GET /`, which sends a browser to the app.
_ACCEPT = {
    "JSON": "application/json",
    "anything": "*/*",
    "any application": "application/*",
    "upper case": "Application/JSON",
    "text alone": "text/plain",
    "HTML alone": "text/html",
    "any text": "text/*",
    "image": "image/png",
    "JSON with a weight": "application/json;q=0.5",
    "JSON with weight nothing": "application/json;q=0",
    "JSON with indent": "application/json; indent=4",
    "JSON with charset": "application/json; charset=utf-8",
    "JSON with version": "application/json; version=1.0",
    "JSON API": "application/vnd.api+json",
    "a browser's": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "a list with JSON": "text/html, application/json",
    "a list without JSON": "text/html, text/plain, application/xml",
    "axios'": "application/json, text/plain, */*",
    "empty": "",
    "comma": ",",
    "no slash": "json",
    "star alone": "*",
}
_TOKENS = {
    # what it is: the placeholder
    "expired": "expired",
    "of the refresh type": "refresh",
    "of another type": "other_type",
    "unsigned": "unsigned",
    "signed with another key": "foreign_key",
    "signed with another algorithm": "other_algorithm",
    "with a changed signature": "tampered",
    "issued in the future": "future",
    "without user_id": "no_user_id",
    "without token_type": "no_type",
    "without jti": "no_jti",
    "without exp": "no_exp",
    "of a user that is gone": "gone_user",
    "of an inactive user": "inactive_user",
    "of simplejwt": "plain_access",
    "with a number for the user": "int_user",
}
_GARBAGE = {
    "garbage": "garbage",
    "two parts": "a.b",
    "three parts": "a.b.c",
    "dots": "..",
    "quoted": '"{access}"',
    "with a comma": "{access},",
    "latin-1": "\xe9\xe8",
    "long garbage": "x" * 5000,
}


def _bad_access(message: str) -> Answer:
    return answer(
        401,
        {
            "detail": "Given token not valid for any token type",
            "code": "token_not_valid",
            "messages": [{"token_class": "AccessToken", "token_type": "access", "message": message}],
        },
    )


_NEGOTIATION: list[Case] = [
    *(case(f"accept: {name}", "GET", _TASK, headers={"Accept": value}) for name, value in _ACCEPT.items()),
    case("accept: HTML, no token", "GET", _TASK, auth=None, headers={"Accept": "text/html"}),
    case("accept: HTML, bad token", "GET", _TASK, auth="Bearer x", headers={"Accept": "text/html"}),
    case("accept: HTML, wrong method", "POST", _TASK, {}, headers={"Accept": "text/html"}),
    case("accept: HTML, missing task", "GET", "/task/{missing}/", headers={"Accept": "text/html"}),
    case("accept: HTML, create", "POST", "/", {"task": "t"}, headers={"Accept": "text/html"}),
    case("accept: HTML, put", "PUT", _TASK, {"task": "t"}, headers={"Accept": "text/html"}),
    case("accept: HTML, delete", "DELETE", _TASK, headers={"Accept": "text/html"}),
    case("accept: HTML, login", "POST", "/login/", {}, auth=None, headers={"Accept": "text/html"}),
    case("accept: HTML, register", "POST", "/register/", {}, auth=None, headers={"Accept": "text/html"}),
    case("accept: HTML, refresh", "POST", "/token-refresh/", {}, auth=None, headers={"Accept": "text/html"}),
    case("accept: HTML, verify", "POST", "/token-verify/", {}, auth=None, headers={"Accept": "text/html"}),
    case(
        "accept: indent, create", "POST", "/", {"task": "t"}, headers={"Accept": "application/json; indent=4"}
    ),
    case("accept: JSON, list", "GET", "/", fresh=True, headers={"Accept": "application/json"}),
    case("accept: format parameter", "GET", _TASK + "?format=json"),
]

_HEADER: list[Case] = [
    case("auth: none", "GET", _TASK, auth=None),
    case("auth: empty", "GET", _TASK, auth=""),
    case("auth: Basic", "GET", _TASK, auth="Basic YTpi"),
    case("auth: Token", "GET", _TASK, auth="Token {access}"),
    case("auth: JWT", "GET", _TASK, auth="JWT {access}"),
    case("auth: token without a scheme", "GET", _TASK, auth="{access}"),
    case("auth: Bearer with a colon", "GET", _TASK, auth="Bearer: {access}"),
    case("auth: Bearer alone", "GET", _TASK, auth="Bearer"),
    case("auth: Bearer and a space", "GET", _TASK, auth="Bearer "),
    case("auth: three parts", "GET", _TASK, auth="Bearer {access} x"),
    case("auth: Bearer twice", "GET", _TASK, auth="Bearer Bearer {access}"),
    case("auth: Basic with three parts", "GET", _TASK, auth="Basic a b"),
    case("auth: two spaces", "GET", _TASK, auth="Bearer  {access}"),
    case("auth: tab", "GET", _TASK, auth="Bearer\t{access}"),
    case("auth: small letters", "GET", _TASK, auth="bearer {access}", contract=_FIRST, why=_SCHEME),
    case("auth: capitals", "GET", _TASK, auth="BEARER {access}", contract=_FIRST, why=_SCHEME),
    case(
        "auth: small letters alone",
        "GET",
        _TASK,
        auth="bearer",
        contract=answer(
            401,
            {
                "detail": "Authorization header must contain two space-delimited values",
                "code": "bad_authorization_header",
            },
        ),
        why=_SCHEME,
    ),
    case(
        "auth: small letters, bad token",
        "GET",
        _TASK,
        auth="bearer {expired}",
        contract=_bad_access("Token is expired"),
        why=_SCHEME,
    ),
    case("auth: none, list", "GET", "/", auth=None),
    case("auth: none, create", "POST", "/", {"task": "t"}, auth=None),
    case("auth: none, put", "PUT", _TASK, {"task": "t"}, auth=None),
    case("auth: none, patch", "PATCH", _TASK, {"task": "t"}, auth=None),
    case("auth: none, delete", "DELETE", _TASK, auth=None),
    case("auth: none, missing task", "GET", "/task/{missing}/", auth=None),
    case("auth: none, bad task id", "GET", "/task/abc/", auth=None),
    case("auth: bad token, create with a bad body", "POST", "/", raw="{", auth="Bearer {expired}"),
    case("auth: bad token at login is not looked at", "POST", "/login/", {}, auth="Bearer {expired}"),
    case("auth: bad header at refresh is not looked at", "POST", "/token-refresh/", {}, auth="Bearer"),
    case("auth: bad token at verify is not looked at", "POST", "/token-verify/", {}, auth="Bearer x"),
]

_ACCESS_TOKENS: list[Case] = [
    *(case(f"access: token {name}", "GET", _TASK, auth=f"Bearer {{{key}}}") for name, key in _TOKENS.items()),
    *(case(f"access: {name}", "GET", _TASK, auth=f"Bearer {value}") for name, value in _GARBAGE.items()),
    case("access: token expired, create", "POST", "/", {"task": "t"}, auth="Bearer {expired}"),
    case("access: token expired, delete", "DELETE", _TASK, auth="Bearer {expired}"),
    case(
        "access: token over 4 KiB",
        "GET",
        _TASK,
        auth="Bearer {oversized}",
        contract=_bad_access("Token is invalid"),
        why="a token over 4 KiB is refused unread",
    ),
    case(
        "access: token of a session that was logged out",
        "GET",
        "/",
        auth="Bearer {revoked_access}",
        contract=_bad_access("Token is blacklisted"),
        why="logging out ends the access tokens of the family too",
    ),
]

CASES: list[Case] = [*_NEGOTIATION, *_HEADER, *_ACCESS_TOKENS]
