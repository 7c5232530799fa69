"""What many operations answer: errors of HTTP itself, of the token, of the database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from msgspec import Meta

from rest_gateway.endpoint import Endpoint, any_media_type
from rest_gateway.errors import Refusal
from rest_gateway.openapi.error_types import Defect, Detail, Unauthorized
from rest_gateway.openapi.operation import Answer, Operation
from shared.api_types import FieldErrors
from shared.errors import Unavailable
from shared.json_schema import Schema

EntityTags = Annotated[
    str,
    Meta(
        pattern=r'^(\*|(W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*)$',
        description="As answers have them in `ETag`; several with commas between, or `*` for any.",
        examples=['"1"'],
    ),
]

OF_BODIES: Final = {
    "JSON that cannot be parsed": {
        "detail": "JSON parse error - Expecting ':' delimiter: line 1 column 8 (char 7)"
    },
    "JSON that is no object": {"non_field_errors": ["Invalid data. Expected a dictionary, but got list."]},
}
LEFT_OUT: Final = "This field is required."
MALFORMED: Final = Answer(
    "The request is malformed.",
    Detail,
    cases={"a Host that is no host and port": {"detail": "The Host header is no host and port."}},
)


def invalid(cases: Mapping[str, Mapping[str, str]], *, body: bool = True) -> Answer:
    """400. ``cases``: the message for each bad field or parameter, by what has led to it; ``body``: it takes one."""
    fields = {case: {name: [message] for name, message in bad.items()} for case, bad in cases.items()}
    description = "A field or parameter is bad, or the request is malformed."
    return Answer(description, (FieldErrors, Detail), cases={**fields, **(OF_BODIES if body else {})})


NO_TOKEN: Final = Answer(
    "No access token, or one that is not accepted.",
    Unauthorized,
    ("WWW-Authenticate",),
    cases={
        "no token": {"detail": "Authentication credentials were not provided."},
        "`Bearer` alone, or more than a token behind it": {
            "detail": "Authorization header must contain two space-delimited values",
            "code": "bad_authorization_header",
        },
        "the token is expired (or `Token is invalid`, `Token is blacklisted`, `Token has wrong type`)": {
            "detail": "Given token not valid for any token type",
            "code": "token_not_valid",
            "messages": [
                {"token_class": "AccessToken", "token_type": "access", "message": "Token is expired"}
            ],
        },
        "the user was deleted": {"detail": "User not found", "code": "user_not_found"},
        "the user was disabled": {"detail": "User is inactive", "code": "user_inactive"},
    },
)
TOKEN_REFUSED: Final = Answer(
    "The token is not accepted.",
    Unauthorized,
    ("WWW-Authenticate",),
    cases={
        "not a token of this server": {"detail": "Token is invalid", "code": "token_not_valid"},
        "expired": {"detail": "Token is expired", "code": "token_not_valid"},
        "an access token where a refresh token is asked for": {
            "detail": "Token has wrong type",
            "code": "token_not_valid",
        },
        "ended by a logout, or exchanged before": {
            "detail": "Token is blacklisted",
            "code": "token_not_valid",
        },
        "its user was deleted or disabled": {
            "detail": "No active account found for the given token.",
            "code": "no_active_account",
        },
    },
)
THROTTLED: Final = Answer(
    "Too many attempts.",
    Detail,
    ("Retry-After",),
    cases={"too many attempts": {"detail": "Request was throttled. Expected available in 30 seconds."}},
)
NO_TASK: Final = Answer(
    "The user has no such task.",
    Detail,
    cases={
        "no such task, or another user's": {"detail": "No Task matches the given query."},
        "the id is no UUID": {"detail": "Not found."},
    },
)


SHARED: Final = {
    400: ("Malformed", MALFORMED),
    401: ("NoToken", NO_TOKEN),
    406: (
        "NotAcceptable",
        Answer(
            "The client takes no JSON.",
            Detail,
            cases={"`Accept` without JSON": {"detail": "Could not satisfy the request Accept header."}},
        ),
    ),
    408: (
        "TooSlow",
        Answer(
            "The body took too long; the connection is closed.",
            Detail,
            cases={"half a body": {"detail": Refusal.TOO_SLOW.value[1]}},
        ),
    ),
    413: (
        "TooLarge",
        Answer(
            "The body is too large; the connection is closed.",
            Detail,
            cases={"more than `MAX_MESSAGE_BYTES`": {"detail": Refusal.TOO_LARGE.value[1]}},
        ),
    ),
    415: (
        "Unsupported",
        Answer(
            "A media type or coding of the body that is not supported.",
            Detail,
            cases={
                "another media type": {"detail": 'Unsupported media type "text/plain" in request.'},
                "another coding": {
                    "detail": "Unsupported Content-Encoding in request; supported: gzip, deflate."
                },
            },
        ),
    ),
    417: (
        "ExpectationFailed",
        Answer(
            "Another expectation than `100-continue`.",
            Detail,
            cases={"another `Expect`": {"detail": "Expect: only 100-continue can be met."}},
        ),
    ),
    500: (
        "Defect",
        Answer(
            "A defect of the server's.",
            Defect,
            cases={"a defect": {"detail": Refusal.DEFECT.value[1], "ref": "5f0c1d8e9a7b4c32"}},
        ),
    ),
    503: (
        "Unavailable",
        Answer(
            "The database is away or full, or there are too many connections.",
            Detail,
            ("Retry-After",),
            cases={
                "the database is away or full": {"detail": Unavailable("").message},
                "too many connections": {"detail": Refusal.CROWDED.value[1]},
            },
        ),
    ),
}
"""By status, with their names among the document's components."""

_ALWAYS: Final = (400, 417, 500, 503)
_WITH_BODY: Final = (408, 413, 415)

HEADERS: Final[dict[str, Schema]] = {
    "X-Request-ID": {
        "description": "The request's own, if it sent a good one; else one that no other request has.",
        "required": True,
        "schema": {"type": "string"},
    },
    "ETag": {
        "description": "Of a task, its revision in quotes: `If-Match` and `If-None-Match` take it.",
        "required": True,
        "schema": {"type": "string", "examples": ['"1"']},
    },
    "Location": {
        "description": "The page's path, with the prefix that proxies cut off.",
        "required": True,
        "schema": {"type": "string", "examples": ["/app/"]},
    },
    "Retry-After": {"description": "Seconds.", "required": True, "schema": {"type": "integer", "minimum": 0}},
    "WWW-Authenticate": {
        "required": True,
        "description": "The scheme that is asked for.",
        "schema": {"type": "string", "const": 'Bearer realm="api"'},
    },
    "X-Taskbeam-Seq": {
        "description": "The user's `seq` at which the list is the state.",
        "required": True,
        "schema": {"type": "integer", "minimum": 0},
    },
    "X-Taskbeam-Epoch": {
        "description": "Changes when the database is restored: with `seq` it is a place in the change feed.",
        "required": True,
        "schema": {"type": "string"},
    },
}


def answers(operation: Operation, endpoint: Endpoint) -> dict[int, Schema]:
    """All answers of an operation: its own, and those that follow from what it takes."""
    statuses = list(_ALWAYS)
    if endpoint.accepts is not any_media_type:
        statuses.append(406)
    if operation.body is not None:
        statuses += _WITH_BODY
    if not endpoint.is_public:
        statuses.append(401)
    common = {status: {"$ref": f"#/components/responses/{SHARED[status][0]}"} for status in statuses}
    return {**common, **{status: answer.written() for status, answer in operation.answers.items()}}


def shared_types() -> list[Any]:
    """All that occur in the bodies of these answers."""
    return [declared for _, answer in SHARED.values() for declared in answer.types]
