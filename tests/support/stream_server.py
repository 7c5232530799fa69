"""A server on a free port that leaves no connection open when it ends."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class _Connections:
    """Accepts on a listening socket, and serves each connection in a task.

    Not ``asyncio.start_server``: a connection that it accepts just as it is closed stays open, and the garbage collector
    reports it in a later test.
    """

    def __init__(self, listening: socket.socket, serve: Serve, tls: ssl.SSLContext | None) -> None:
        self._listening = listening
        self._serve = serve
        self._tls = tls
        self._open: dict[socket.socket, asyncio.Task[None]] = {}

    def start(self) -> None:
        self._listening.setblocking(False)
        asyncio.get_running_loop().add_reader(self._listening, self._accept)

    async def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._listening)
        tasks = list(self._open.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _accept(self) -> None:
        try:
            connection, _ = self._listening.accept()
        except OSError:  # the client has left
            return
        task = asyncio.create_task(self._serve_connection(connection))
        self._open[connection] = task
        task.add_done_callback(lambda _: self._open.pop(connection))
        task.add_done_callback(lambda _: connection.close())  # the task may never have begun

    async def _serve_connection(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        loop = asyncio.get_running_loop()
        with suppress(OSError, asyncio.IncompleteReadError):
            transport, _ = await loop.connect_accepted_socket(lambda: protocol, connection, ssl=self._tls)
            writer = asyncio.StreamWriter(transport, protocol, reader, loop)
            try:
                await self._serve(reader, writer)
            except asyncio.CancelledError:
                transport.abort()  # the client may never read what is still to be sent
                raise
            finally:
                writer.close()
                await writer.wait_closed()


@asynccontextmanager
async def stream_server(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve each connection until ``serve`` returns. The value is the port.

    At the end the connections that are still open are closed, and ``serve`` is cancelled. An ``OSError`` or an incomplete
    read of ``serve`` means that the client has left, and ends its connection alone.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        connections = _Connections(listening, serve, tls)
        connections.start()
        try:
            yield listening.getsockname()[1]
        finally:
            await connections.close()
