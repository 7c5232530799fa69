"""The listening side: it puts the parts together, and ends them in order."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import logging
import signal
from typing import Final

from websockets.protocol import SERVER
from websockets.protocol import Protocol as Parser

from shared.accepting import Acceptor
from shared.access_log import open_access_log
from shared.auth.token_watch import watch_tokens
from shared.backend import Backend
from shared.connection_limit import ConnectionLimit
from shared.descriptors import connection_limits
from shared.listening import listen
from shared.metrics.catalogue import CONNECTIONS
from shared.port_locks import PortLocks
from shared.settings import Settings
from ws_server.close_codes import Disconnect
from ws_server.connection import Connection
from ws_server.context import Context
from ws_server.deadlines import Deadlines
from ws_server.feed_wait import FeedWait
from ws_server.http_port import HttpPort
from ws_server.hub import Hub
from ws_server.open_sockets import OpenSockets
from ws_server.routes import Routes
from ws_server.session import AUTH_MAX_BYTES
from ws_server.stream import StreamContext, new_write_ids
from ws_server.transport import Socket

PROCESS: Final = "ws_server"
_DRAIN_TIMEOUT: Final = 12.0  # supervisord.conf's stopwaitsecs is above it
_FROM_THE_KEYBOARD: Final = (signal.SIGINT, signal.SIGQUIT)

log = logging.getLogger(__name__)
_protocol_log = logging.getLogger("websockets.server")


async def serve_tasks(settings: Settings, backend: Backend, stop: asyncio.Future[signal.Signals]) -> None:
    """Accept connections until stopped; then let requests in progress end and close the rest."""
    hub = Hub(
        ConnectionLimit(settings.max_connections_per_user, "sockets", backend.connection_counts),
    )
    backend.feed.subscribe(hub)
    deadlines = Deadlines()
    listening = await listen(settings.ws_address, PortLocks(backend.beside("-ports")))
    limits = connection_limits(settings.max_connections)
    settings = dataclasses.replace(settings, max_connections=limits.kept)
    streams = StreamContext(
        settings.max_buffer_bytes, new_write_ids(), functools.partial(FeedWait, backend.feed, deadlines)
    )
    context = Context(
        settings,
        deadlines,
        hub,
        backend.feed,
        backend.tasks,
        backend.authenticator,
        streams,
        open_access_log(PROCESS, settings),
    )
    sockets = OpenSockets(deadlines)
    # No compression: it would cost 64 KiB for each connection, and most of the CPU.
    message_max = max(settings.max_message_bytes, AUTH_MAX_BYTES)

    def open_socket(transport: asyncio.Transport, opened: float, request_id: str, data: bytes) -> None:
        parser = Parser(SERVER, max_size=message_max, logger=_protocol_log)
        socket = Socket(sockets, transport, parser)
        connection = Connection(socket, context, request_id)
        connection.start(opened)
        socket.start(connection, data)

    port = HttpPort(sockets, Routes(settings, backend), open_socket, settings.auth_timeout_seconds)
    CONNECTIONS.read = count_connections = lambda: len(port.connections) + len(sockets.sockets)
    acceptor = Acceptor(
        listening,
        port,
        max_connections=limits.accepted,
        count=count_connections,
        make_room=port.make_room,
    )
    log.info("listening on %s", listening)
    async with asyncio.TaskGroup() as tasks:
        watchers = [
            tasks.create_task(sockets.keep_alive()),
            tasks.create_task(watch_tokens(hub.token_holders, backend.authenticator)),
            tasks.create_task(hub.keep_to_limit()),
        ]
        number = await stop
        disconnect = Disconnect.INTERRUPTED if number in _FROM_THE_KEYBOARD else Disconnect.STOPPING
        log.info("stopping with %d connections", len(hub))
        await _drain(acceptor, port, hub, disconnect)
        for watcher in watchers:
            watcher.cancel()


async def _drain(acceptor: Acceptor, port: HttpPort, hub: Hub, disconnect: Disconnect) -> None:
    acceptor.close()
    port.stop()
    hub.drain(disconnect)
    if cut := await port.sockets.drain(_DRAIN_TIMEOUT):
        log.warning("cut %d connections that did not close in time", cut)
