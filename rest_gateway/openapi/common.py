"""What many operations answer: errors of HTTP itself, of the token, of the database."""

from __future__ import annotations

from typing import Annotated, Any, Final

from msgspec import Meta

from rest_gateway.endpoint import Endpoint, any_media_type
from rest_gateway.openapi.error_types import Defect, Detail, Unauthorized
from rest_gateway.openapi.operation import Answer, Operation
from shared.api_types import FieldErrors
from shared.json_schema import Schema

EntityTags = Annotated[
    str,
    Meta(
        pattern=r'^(\*|(W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*)$',
        description="As answers have them in `ETag`; several with commas between, or `*` for any.",
        examples=['"1"'],
    ),
]

MALFORMED: Final = Answer("The request is malformed.", Detail)
INVALID: Final = Answer(
    "A field or parameter is bad, by its name; or the request is malformed.",
    (FieldErrors, Detail),
    example={"task": ["This field is required."]},
)
NO_TOKEN: Final = Answer(
    "No access token, or one that is not accepted.",
    Unauthorized,
    ("WWW-Authenticate",),
    example={"detail": "Authentication credentials were not provided."},
)
TOKEN_REFUSED: Final = Answer(
    "The token is invalid, expired, of the wrong type or blacklisted, or its user is gone.",
    Unauthorized,
    ("WWW-Authenticate",),
    example={"detail": "Token is expired", "code": "token_not_valid"},
)
THROTTLED: Final = Answer(
    "Too many attempts.",
    Detail,
    ("Retry-After",),
    example={"detail": "Request was throttled. Expected available in 30 seconds."},
)
NO_TASK: Final = Answer(
    "The user has no such task.", Detail, example={"detail": "No Task matches the given query."}
)

SHARED: Final = {
    400: ("Malformed", MALFORMED),
    401: ("NoToken", NO_TOKEN),
    406: (
        "NotAcceptable",
        Answer(
            "The client takes no JSON.",
            Detail,
            example={"detail": "Could not satisfy the request Accept header."},
        ),
    ),
    408: ("TooSlow", Answer("The body took too long; the connection is closed.", Detail)),
    413: ("TooLarge", Answer("The body is too large; the connection is closed.", Detail)),
    415: ("Unsupported", Answer("A media type or coding of the body that is not supported.", Detail)),
    417: ("ExpectationFailed", Answer("Another expectation than `100-continue`.", Detail)),
    500: ("Defect", Answer("A defect of the server's.", Defect)),
    503: (
        "Unavailable",
        Answer("The database is away or full, or there are too many connections.", Detail, ("Retry-After",)),
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
