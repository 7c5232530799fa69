"""What ``rest_gateway.ops``, ``rest_gateway.documents`` and ``rest_gateway.web_page`` take and answer."""

from __future__ import annotations

from typing import Any, Final

from rest_gateway.answers import Status
from rest_gateway.openapi.common import EntityTags
from rest_gateway.openapi.error_types import Detail
from rest_gateway.openapi.operation import Answer, Operation, Operations, Parameter

_IF_NONE_MATCH: Final = Parameter("If-None-Match", "header", EntityTags, "What the client has of it.")
_NOT_MODIFIED: Final = Answer("The client has it.", headers=("ETag",))
_DOCUMENT: Final = {200: Answer("The document.", dict[str, Any], ("ETag",)), 304: _NOT_MODIFIED}
_ONLY_KNOWN: Final = (_IF_NONE_MATCH,)

OPERATIONS: Final[Operations] = {
    ("GET", "/healthz"): Operation(
        "getHealth",
        "Whether the process answers",
        {200: Answer("It does.", Status, example={"status": "ok"})},
    ),
    ("GET", "/readyz"): Operation(
        "getReadiness",
        "Whether the database answers",
        {
            200: Answer("It does.", Status, example={"status": "ready"}),
            503: Answer(
                "It does not.",
                (Status, Detail),
                cases={"the database does not answer": {"status": "unavailable"}},
            ),
        },
    ),
    ("GET", "/metrics"): Operation(
        "getMetrics",
        "What Prometheus scrapes: of all processes of the database",
        {200: Answer("The metrics.", str, media_type="text/plain")},
    ),
    ("GET", "/app/"): Operation(
        "getApp",
        "A page for browsers: your tasks, live",
        {
            200: Answer("The page.", str, ("ETag",), "text/html"),
            302: Answer("Its address has a slash at the end.", Detail, ("Location",)),
            304: _NOT_MODIFIED,
        },
        parameters=_ONLY_KNOWN,
    ),
    ("GET", "/docs/"): Operation(
        "getDocs",
        "Pages of this document, and of the WebSocket's",
        {200: Answer("A page.", str, ("ETag",), "text/html"), 304: _NOT_MODIFIED},
        parameters=_ONLY_KNOWN,
    ),
    ("GET", "/openapi.json"): Operation("getOpenapi", "This document", _DOCUMENT, parameters=_ONLY_KNOWN),
    ("GET", "/asyncapi.json"): Operation(
        "getAsyncapi", "The WebSocket's document (AsyncAPI)", _DOCUMENT, parameters=_ONLY_KNOWN
    ),
}
