"""What each path of the WebSocket port answers: the upgrade, the probes, and where else to go."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable
from http import HTTPStatus
from typing import Final

from websockets.exceptions import InvalidHeader
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from shared.backend import Backend
from shared.errors import Unavailable
from shared.metrics.publisher import CONTENT_TYPE
from shared.origins import OriginPolicy
from shared.settings import Settings
from ws_server.http_answers import answer, metrics_answer, refusal, without_body
from ws_server.targets import BadTarget, host_of, path_of

PATHS: Final = ("/ws/tasks/", "/ws/tasks")
_PROBES: Final = ("/healthz", "/readyz", "/metrics")
_READY_TIMEOUT: Final = 2.0
_VERSION: Final = {"Sec-WebSocket-Version": "13"}
_ANYWHERE: Final = ("0.0.0.0", "::")  # listens on all addresses, and is none itself

log = logging.getLogger(__name__)


class Routes:
    """Answers a request; status 101 grants an upgrade."""

    def __init__(self, settings: Settings, backend: Backend) -> None:
        self._settings = settings
        self._backend = backend
        self._policy = OriginPolicy(settings.allowed_origins)
        # Only its ``accept`` is used, which depends on the request alone. To make one for each request would leave
        # a cycle of references for each.
        self._handshake = ServerProtocol(origins=_origins(self._policy))

    def __call__(self, request: Request) -> Response | Awaitable[Response]:
        try:
            path = path_of(request)
        except BadTarget as error:
            return refusal(HTTPStatus.BAD_REQUEST, str(error))
        if path in PATHS:
            return self._upgrade(request)
        if path not in _PROBES:
            response = self._not_found(request)
        elif request.method not in ("GET", "HEAD"):
            response = _not_allowed(request.method, "GET, HEAD")
        elif path == "/readyz":
            return self._readiness(request)
        elif path == "/metrics":
            return self._metrics(request)
        else:
            response = answer(HTTPStatus.OK, {"status": "ok"})
        return without_body(response) if request.method == "HEAD" else response

    def _upgrade(self, request: Request) -> Response:
        if request.headers.get_all("Transfer-Encoding") or set(request.headers.get_all("Content-Length")) - {
            "0"
        }:
            return refusal(HTTPStatus.BAD_REQUEST, "An upgrade has no body.")
        response = self._handshake.accept(request)
        if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            return response
        error, self._handshake.handshake_exc = self._handshake.handshake_exc, None
        match HTTPStatus(response.status_code):
            case HTTPStatus.METHOD_NOT_ALLOWED:
                return _not_allowed(request.method, "GET")
            case HTTPStatus.FORBIDDEN:
                self._policy.log_refused(request.headers["Origin"])
                return refusal(HTTPStatus.FORBIDDEN, "The Origin is not allowed.")
            case HTTPStatus.UPGRADE_REQUIRED:
                return refusal(
                    HTTPStatus.UPGRADE_REQUIRED,
                    "This is the address of a WebSocket: it takes an upgrade.",
                    _VERSION | {"Connection": "close, Upgrade", "Upgrade": "websocket"},
                )
            case HTTPStatus.BAD_REQUEST if isinstance(error, InvalidHeader):
                return self._bad_header(request, error.name)
            case status:
                return refusal(status)

    def _bad_header(self, request: Request, name: str) -> Response:
        versions = request.headers.get_all(name)
        if name == "Sec-WebSocket-Version" and len(versions) == 1:
            return refusal(
                HTTPStatus.UPGRADE_REQUIRED,
                "The version of the WebSocket protocol is 13.",
                _VERSION | {"Connection": "close, Upgrade", "Upgrade": "websocket"},
            )
        return refusal(HTTPStatus.BAD_REQUEST, f"The {name} header is missing or malformed.", _VERSION)

    async def _readiness(self, request: Request) -> Response:
        try:
            async with asyncio.timeout(_READY_TIMEOUT):
                await self._backend.store.ping()
        except (TimeoutError, Unavailable):
            response = answer(HTTPStatus.SERVICE_UNAVAILABLE, {"status": "unavailable"})
        else:
            response = answer(HTTPStatus.OK, {"status": "ready"})
        return without_body(response) if request.method == "HEAD" else response

    async def _metrics(self, request: Request) -> Response:
        response = metrics_answer(await self._backend.metrics.text(), CONTENT_TYPE)
        return without_body(response) if request.method == "HEAD" else response

    def _not_found(self, request: Request) -> Response:
        return answer(
            HTTPStatus.NOT_FOUND,
            {
                "detail": "Not found.",
                "hint": f"This port serves WebSockets, at {PATHS[0]}. The REST API is {self._rest(request)}.",
            },
        )

    def _rest(self, request: Request) -> str:
        if self._settings.rest_fd is not None:
            return "at an address of its own"
        host = self._settings.rest_host[0]
        if host in _ANYWHERE:
            host = host_of(request) or "localhost"
        if ":" in host and not host.startswith("["):
            host = f"[{host}]"
        return f"at http://{host}:{self._settings.rest_port}/"


def _not_allowed(method: str, allow: str) -> Response:
    return refusal(HTTPStatus.METHOD_NOT_ALLOWED, f'Method "{method[:32]}" not allowed.', {"Allow": allow})


def _origins(policy: OriginPolicy) -> list[re.Pattern[str] | None] | None:
    """``None`` in the list lets clients in that send no Origin: they are no browsers."""
    return None if policy.any else [None, *policy.patterns]
