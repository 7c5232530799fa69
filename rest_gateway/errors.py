"""Errors as HTTP answers, in the bodies and texts that DRF's and simplejwt's clients know."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum
from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import hdrs, web

from rest_gateway.whole_response import WholeResponse
from shared.errors import (
    Conflict,
    CredentialsRejected,
    FatalError,
    InvalidRequest,
    LimitReached,
    NotFound,
    RegistrationClosed,
    TaskbeamError,
    Throttled,
    TokenRejected,
    TokenWithoutUser,
    Unavailable,
    UserGone,
    UserInactive,
    ValidationFailed,
)
from shared.metrics.catalogue import REFUSED_CONNECTIONS

_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="api"'}
_STATUS: Final[dict[type[TaskbeamError], int]] = {
    InvalidRequest: 400,
    ValidationFailed: 400,
    NotFound: 404,
    Conflict: 412,
    LimitReached: 403,
    RegistrationClosed: 403,
    Throttled: 429,
    Unavailable: 503,
    FatalError: 503,
    CredentialsRejected: 401,
    TokenRejected: 401,
    TokenWithoutUser: 401,
    UserGone: 401,
    UserInactive: 401,
}
_encode = msgspec.json.Encoder().encode


class Refusal(Enum):
    """Why no request could be read, or not to its end; the connection ends with the answer. Status and text."""

    NOT_HTTP = 400, "The request is no valid HTTP."
    HEAD_TOO_LONG = 400, "The head of the request is too long."
    BAD_BODY = 400, "The request body is malformed."
    CUT_OFF = 400, "The request body was cut off."
    TUNNEL = 405, 'Method "CONNECT" not allowed.'
    TOO_SLOW = 408, "The request took too long."
    TOO_LARGE = 413, "The request body is too large."
    DEFECT = 500, "Internal server error."
    CROWDED = 503, "There are too many connections, try again later."


class BodyRefused(Exception):
    """The rest of a request's body will not come."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value[1])
        self.refusal = refusal


class HttpError(Exception):
    """An answer that HTTP itself asks for, not the services; with ``closes`` it is the connection's last."""

    def __init__(
        self,
        status: int,
        detail: str,
        headers: Mapping[str, str] | None = None,
        *,
        closes: bool = False,
        **extra: object,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.closes = closes
        self.body = {"detail": detail, **extra}
        self.headers = dict(headers or {}, **(_CHALLENGE if status == 401 else {}))


def json_response(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """An answer; ``bytes`` are JSON already."""
    content = body if isinstance(body, bytes) else _encode(body)
    return WholeResponse(body=content, status=status, headers=headers, content_type="application/json")


class _RefusalResponse(web.Response):
    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        # aiohttp 3.14 runs no hook on answers to requests that its parser refused.
        self.headers.pop(hdrs.SERVER, None)


def refusal_response(refusal: Refusal, request_id: str) -> web.Response:
    """The answer where no request could be read; the connection is closed after it."""
    status, body, headers = _refusal(refusal, request_id)
    response = _RefusalResponse(body=body, status=status, headers=headers)
    response.force_close()
    return response


def refusal_bytes(refusal: Refusal, request_id: str) -> bytes:
    """The same as the bytes of HTTP, for a connection that has no request at all."""
    status, body, headers = _refusal(refusal, request_id)
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _refusal(refusal: Refusal, request_id: str) -> tuple[int, bytes, dict[str, str]]:
    REFUSED_CONNECTIONS.child(refusal.name.lower()).value += 1
    status, detail = refusal.value
    headers = {
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "X-Request-ID": request_id,
        "Connection": "close",
    }
    if refusal is Refusal.CROWDED:
        headers["Retry-After"] = "1"
    if refusal is Refusal.TUNNEL:
        headers["Allow"] = "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS"
    extra = {"ref": request_id} if refusal is Refusal.DEFECT else {}
    return status, _encode({"detail": detail, **extra}), headers


def error_response(error: TaskbeamError) -> web.Response:
    """The answer to an error of the services."""
    status = _STATUS[type(error)]
    headers: dict[str, str] = dict(_CHALLENGE) if status == 401 else {}
    body: dict[str, object]
    match error:
        case ValidationFailed():
            return json_response(error.errors, status)
        case InvalidRequest(key=str() as key):
            return json_response({key: [error.detail]}, status)
        case InvalidRequest():
            body = {"detail": error.detail}
        case NotFound():
            body = {"detail": "No Task matches the given query."}
        case Throttled():
            wait = math.ceil(error.retry_after)
            headers["Retry-After"] = str(wait)
            body = {"detail": f"Request was throttled. Expected available in {wait} seconds."}
        case Unavailable():
            headers["Retry-After"] = str(error.retry_after)
            body = {"detail": error.message}
        case CredentialsRejected() | RegistrationClosed():
            body = {"detail": error.message}
        case TokenRejected():
            body = {"detail": error.message, "code": error.code}
        case _:
            body = {"detail": error.message, "code": error.code, **error.extra}
    return json_response(body, status, headers)


def batch_error_response(error: TaskbeamError) -> web.Response:
    """The answer to a batch of which nothing was written: all kinds of errors in one shape."""
    status = 409 if isinstance(error, Conflict) else _STATUS[type(error)]
    detail = "No Task matches the given query." if isinstance(error, NotFound) else error.message
    extra = {key: value for key, value in error.extra.items() if key != "detail"}
    if isinstance(error, InvalidRequest):
        detail = str(error.extra["detail"])
    return json_response({"detail": detail, "code": error.code, **extra}, status)


def access_refused(error: TokenRejected) -> web.Response:
    """The answer to a bad access token, as simplejwt's JWTAuthentication gives it."""
    if isinstance(error, (TokenWithoutUser, UserGone, UserInactive)):
        return error_response(error)
    body = {
        "detail": "Given token not valid for any token type",
        "code": error.code,
        "messages": [{"token_class": "AccessToken", "token_type": "access", "message": error.message}],
    }
    return json_response(body, 401, _CHALLENGE)


def refresh_refused(error: TokenRejected) -> web.Response:
    """The answer to a bad refresh token, or to one whose user is gone, as simplejwt's views give it."""
    if isinstance(error, (UserGone, UserInactive)):
        body = {"detail": "No active account found for the given token.", "code": "no_active_account"}
        return json_response(body, 401, _CHALLENGE)
    return error_response(error)
