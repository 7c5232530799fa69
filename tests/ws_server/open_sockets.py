"""Sockets without the task protocol behind them: a listener in this process, with handlers that do as a test says."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.protocol import SERVER, Protocol
from websockets.server import ServerProtocol

from tests.support.raw_websocket import TEXT, client_frame
from tests.support.waiting import until
from ws_server.deadlines import Deadlines
from ws_server.http_port import HttpPort
from ws_server.open_sockets import OpenSockets, Timeouts
from ws_server.transport import Socket

HANDSHAKE: Final = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)

ASK: Final = client_frame(TEXT, b"ask")

Run = Callable[[Coroutine[Any, Any, None]], None]
Work = Coroutine[Any, Any, None]
OnMessage = Callable[[Socket, str], Work | None]


class Scripted:
    """A handler whose messages say what happens to them; it writes down what else it is told."""

    def __init__(self, socket: Socket, on_message: OnMessage) -> None:
        self.socket = socket
        self._on_message = on_message
        self.told: list[str] = []

    def on_message(self, message: str) -> Work | None:
        return self._on_message(self.socket, message)

    def on_binary(self) -> None:
        self.socket.close(1003, "")

    def on_control(self) -> None:
        self.told.append("control")

    def on_disconnected(self) -> None:
        self.told.append("gone")

    def on_closed(self) -> None:
        self.told.append("lost")


class Served(OpenSockets):
    """``handlers``: of all sockets that there were."""

    def __init__(self, on_message: OnMessage, timeouts: Timeouts | None) -> None:
        self.handlers: list[Scripted] = []
        super().__init__(Deadlines(), timeouts)
        self._script = on_message
        self.port = 0

    def open_socket(self, transport: asyncio.Transport, opened: float, request_id: str, data: bytes) -> None:
        socket = Socket(self, transport, Protocol(SERVER))
        handler = Scripted(socket, self._script)
        self.handlers.append(handler)
        socket.start(handler, data)


@asynccontextmanager
async def served(on_message: OnMessage, timeouts: Timeouts | None = None) -> AsyncIterator[Served]:
    """A listener on a free port; its keep-alive is not running."""
    listener = Served(on_message, timeouts)
    port = HttpPort(listener, ServerProtocol().accept, listener.open_socket, 5.0)
    server = await asyncio.get_running_loop().create_server(port, "127.0.0.1", 0)
    listener.port = server.sockets[0].getsockname()[1]
    try:
        yield listener
    finally:
        server.close()
        await listener.drain(0)
        await until(lambda: not listener.sockets, 5, "all sockets have ended")


@asynccontextmanager
async def client_of(listener: Served) -> AsyncIterator[ClientConnection]:
    async with connect(f"ws://127.0.0.1:{listener.port}/", compression=None, close_timeout=2) as client:
        yield client


@asynccontextmanager
async def streams_of(
    listener: Served, receive_buffer: int | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection after the handshake, that nothing reads from by itself."""
    raw = socket.socket()
    if receive_buffer is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", listener.port))
    reader, writer = await asyncio.open_connection(sock=raw, limit=receive_buffer or 65536)
    writer.write(HANDSHAKE)
    await reader.readuntil(b"\r\n\r\n")
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)  # for the transport to be closed
