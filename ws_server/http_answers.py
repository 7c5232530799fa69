"""Plain HTTP answers of the WebSocket port: JSON, never stored, and the last ones of their connections."""

from __future__ import annotations

import email.utils
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec
from websockets.datastructures import Headers
from websockets.http11 import Response

_REFUSALS: Final = {
    HTTPStatus.BAD_REQUEST: "The request is malformed.",
    HTTPStatus.REQUEST_URI_TOO_LONG: "The request line is too long.",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "The head of the request is too large.",
    HTTPStatus.NOT_IMPLEMENTED: "The transfer coding is not supported.",
    HTTPStatus.HTTP_VERSION_NOT_SUPPORTED: "The HTTP version is not supported.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The server is stopping.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Internal server error.",
}


def answer(status: HTTPStatus, body: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Response:
    """A JSON object, after which the connection is closed."""
    return _answer(status, msgspec.json.encode(body), "application/json", headers)


def metrics_answer(text: bytes, content_type: str) -> Response:
    """A text for Prometheus."""
    return _answer(HTTPStatus.OK, text, content_type)


def _answer(
    status: HTTPStatus, data: bytes, content_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(
        status.value,
        status.phrase,
        Headers(
            {
                "Date": email.utils.formatdate(usegmt=True),
                "Content-Type": content_type,
                "Content-Length": str(len(data)),
                "Cache-Control": "no-store",
                "X-Content-Type-Options": "nosniff",
                "Connection": "close",
            }
            | dict(headers or {})
        ),
        data,
    )


def refusal(
    status: HTTPStatus, detail: str | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """An error. What the client sent is not repeated: it may be a credential."""
    return answer(status, {"detail": detail or _REFUSALS.get(status, status.phrase)}, headers)


def without_body(response: Response) -> Response:
    """As HEAD wants it (RFC 9110, 9.3.2)."""
    return Response(response.status_code, response.reason_phrase, response.headers)
