"""The listening side: the handshake's checks, the probes on the same port, one ``Connection`` for each socket."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import socket
from collections.abc import Awaitable
from http import HTTPStatus
from typing import Any, Final

from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from shared.changes import ChangeFeed
from shared.errors import Unavailable
from shared.origins import OriginPolicy
from shared.process import Backend
from shared.settings import Settings
from ws_server.connection import AUTH_MAX_BYTES, Connection, Context
from ws_server.deadlines import Deadlines
from ws_server.hub import Hub
from ws_server.protocol import CloseCode
from ws_server.transport import Listener, Rules, Socket

PROCESS: Final = "ws_server"
PATHS: Final = ("/ws/tasks/", "/ws/tasks")
_DRAIN_TIMEOUT: Final = 12.0  # supervisord.conf's stopwaitsecs is above it
_READY_TIMEOUT: Final = 2.0
_BACKLOG: Final = 4096  # after a restart all clients come at once

log = logging.getLogger(__name__)
_protocol_log = logging.getLogger("websockets.server")


async def serve_tasks(settings: Settings, backend: Backend, stop: asyncio.Future[signal.Signals]) -> None:
    """Accept connections until stopped; then let requests in progress end and close the rest."""
    hub = Hub()
    backend.feed.subscribe(hub)
    deadlines = Deadlines()
    context = Context(settings, deadlines, hub, backend.feed, backend.tasks, backend.accounts)
    origins = _origins(OriginPolicy(settings.allowed_origins))

    def handler(socket: Socket) -> Connection:
        connection = Connection(socket, context)
        connection.begin()
        return connection

    def answer(request: Request) -> Response | Awaitable[Response] | None:
        path = request.path.partition("?")[0]
        if path in PATHS:
            return None
        if path == "/healthz":
            return _json(HTTPStatus.OK, "ok")
        if path == "/readyz":
            return _readiness(backend)
        return _json(HTTPStatus.NOT_FOUND, "Not found.", key="detail")

    listener = Listener(
        Rules(
            # No compression: it would cost 64 KiB for each connection, and most of the CPU.
            make_protocol=lambda: ServerProtocol(
                origins=origins, max_size=AUTH_MAX_BYTES, logger=_protocol_log
            ),
            answer=answer,
            handler=handler,
            open_seconds=settings.auth_timeout_seconds,
        ),
        deadlines,
    )
    server = await asyncio.get_running_loop().create_server(
        listener, **_listening(settings, backend.feed), backlog=_BACKLOG
    )
    log.info("listening on %s", " ".join(_addresses(server)))
    async with asyncio.TaskGroup() as tasks:
        keep_alive = tasks.create_task(listener.keep_alive())
        number = await stop
        code = CloseCode.GOING_AWAY if number == signal.SIGINT else CloseCode.RESTARTS
        log.info("stopping with %d connections", len(hub))
        await _drain(server, listener, hub, code)
        keep_alive.cancel()


async def _drain(server: asyncio.Server, listener: Listener, hub: Hub, code: CloseCode) -> None:
    server.close()
    listener.stop_opening()
    hub.close_all(code, "the server is stopping")
    try:
        async with asyncio.timeout(_DRAIN_TIMEOUT):
            await listener.wait_empty()
    except TimeoutError:
        log.warning("cut %d connections that did not close in time", len(listener.sockets))
        for socket in listener.sockets:
            socket.abort()


def _json(status: HTTPStatus, text: str, key: str = "status") -> Response:
    body = b'{"%b":"%b"}' % (key.encode(), text.encode())
    headers = Headers(
        {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"}
    )
    return Response(status.value, status.phrase, headers, body)


async def _readiness(backend: Backend) -> Response:
    try:
        async with asyncio.timeout(_READY_TIMEOUT):
            await backend.store.ping()
    except (TimeoutError, Unavailable):
        return _json(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable")
    return _json(HTTPStatus.OK, "ready")


def _listening(settings: Settings, feed: ChangeFeed) -> dict[str, Any]:
    if settings.ws_fd is not None:
        return {"sock": socket.socket(fileno=settings.ws_fd)}
    try:
        _require_free(settings.ws_host, settings.ws_port)
    except OSError:
        if not feed.has_peer(
            PROCESS
        ):  # asked last: by now a peer that listens has its place in the feed, too
            raise
    # Several workers share the port, and the kernel spreads the connections evenly among them.
    return {"host": settings.ws_host, "port": settings.ws_port, "reuse_port": True}


def _require_free(host: str, port: int) -> None:
    """Raises OSError when a stranger listens there: ``reuse_port`` would share its connections with us silently."""
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(
                socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
            )  # connections that have ended do not count
            try:
                probe.bind(address)
            except OSError as error:
                raise OSError(
                    error.errno, f"cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}"
                ) from None


def _origins(policy: OriginPolicy) -> list[re.Pattern[str] | None] | None:
    """``None`` in the list lets clients in that send no Origin: they are no browsers."""
    return None if policy.any else [None, *policy.patterns]


def _addresses(server: asyncio.Server) -> list[str]:
    return [":".join(str(part) for part in sock.getsockname()[:2]) for sock in server.sockets]
