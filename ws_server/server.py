"""The listening side: the handshake's checks, the probes on the same port, one ``Connection`` for each socket."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import socket
from http import HTTPStatus
from typing import Any, Final

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from shared.changes import ChangeFeed
from shared.errors import Unavailable
from shared.origins import OriginPolicy
from shared.process import Backend
from shared.settings import Settings
from ws_server.connection import AUTH_MAX_BYTES, CLOSE_SECONDS, WRITE_BUFFER_BYTES, Connection, Context
from ws_server.hub import Hub
from ws_server.protocol import CloseCode

PROCESS: Final = "ws_server"
PATHS: Final = ("/ws/tasks/", "/ws/tasks")
_DRAIN_TIMEOUT: Final = 12.0  # supervisord.conf's stopwaitsecs is above it
_READY_TIMEOUT: Final = 2.0
_BACKLOG: Final = 4096  # after a restart all clients come at once

log = logging.getLogger(__name__)


class TimedConnection(ServerConnection):
    """Knows since when it is open: the time-out for authentication counts from the TCP connection."""

    opened: float = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.opened = self.loop.time()
        super().connection_made(transport)


async def serve_tasks(settings: Settings, backend: Backend, stop: asyncio.Future[signal.Signals]) -> None:
    """Accept connections until stopped; then let requests in progress end and close the rest."""
    hub = Hub()
    backend.feed.subscribe(hub)
    context = Context(settings, hub, backend.feed, backend.tasks, backend.accounts)

    async def handler(socket: ServerConnection) -> None:
        assert isinstance(socket, TimedConnection)
        await Connection(socket, socket.opened, context).run()

    async def process_request(connection: ServerConnection, request: Request) -> Response | None:
        path = request.path.partition("?")[0]
        if path in PATHS:
            return None
        if path == "/healthz":
            return _json(connection, HTTPStatus.OK, '{"status":"ok"}')
        if path == "/readyz":
            return await _readiness(connection, backend)
        return _json(connection, HTTPStatus.NOT_FOUND, '{"detail":"Not found."}')

    server = await serve(
        handler,
        **_listening(settings, backend.feed),
        create_connection=TimedConnection,
        process_request=process_request,
        origins=_origins(OriginPolicy(settings.allowed_origins)),
        compression=None,  # it would cost 64 KiB for each connection, and most of the CPU
        open_timeout=settings.auth_timeout_seconds,
        close_timeout=CLOSE_SECONDS,
        max_size=AUTH_MAX_BYTES,
        write_limit=WRITE_BUFFER_BYTES,
        server_header=None,
        backlog=_BACKLOG,
    )
    log.info("listening on %s", " ".join(_addresses(server)))
    number = await stop
    code = CloseCode.GOING_AWAY if number == signal.SIGINT else CloseCode.RESTARTS
    log.info("stopping with %d connections", len(hub))
    await _drain(server, hub, code)


async def _drain(server: Server, hub: Hub, code: CloseCode) -> None:
    server.close(close_connections=False)
    hub.close_all(code, "the server is stopping")
    try:
        async with asyncio.timeout(_DRAIN_TIMEOUT):
            await server.wait_closed()
    except TimeoutError:
        log.warning("cut %d connections that did not close in time", len(hub))


def _json(connection: ServerConnection, status: HTTPStatus, body: str) -> Response:
    response = connection.respond(status, body)
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "application/json"
    return response


async def _readiness(connection: ServerConnection, backend: Backend) -> Response:
    try:
        async with asyncio.timeout(_READY_TIMEOUT):
            await backend.store.ping()
    except (TimeoutError, Unavailable):
        return _json(connection, HTTPStatus.SERVICE_UNAVAILABLE, '{"status":"unavailable"}')
    return _json(connection, HTTPStatus.OK, '{"status":"ready"}')


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


def _addresses(server: Server) -> list[str]:
    return [":".join(str(part) for part in sock.getsockname()[:2]) for sock in server.sockets]
