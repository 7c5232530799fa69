"""A TCP relay between a client and the server that simulates network failures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from tests.support.processes import System
from tests.support.stream_server import stream_server


class TcpRelay:
    """Attributes:
    drop_upstream: drop what the client sends, on the connections that are open.
    drop_downstream: drop what the server sends, on the connections that are open.
    dropped: set once something was dropped.
    fixed_answer: the answer to each new connection; the server is not asked.
    replacement: sent to the client every 0.1 s instead of what the server sends.
    cut_after: after so many more bytes from the server all connections end; 0 is never.
    bytes_per_second: limit on what the server sends; 0 is no limit.
    connections: connections accepted so far.
    bytes_downstream: bytes relayed from the server.
    rate_limited: ``rate_limited`` errors relayed from the server.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._sockets: set[asyncio.StreamWriter] = set()
        self.url = ""
        self.drop_upstream = False
        self.drop_downstream = False
        self.fixed_answer: bytes | None = None
        self.cut_after = 0
        self.bytes_per_second = 0
        self.replacement: bytes | None = None
        self.connections = 0
        self.bytes_downstream = 0
        self.rate_limited = 0
        self.dropped = asyncio.Event()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.fixed_answer is not None:
            await reader.read(2**16)
            writer.write(self.fixed_answer)
            return
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            return
        ends = {writer, server_writer}
        self._sockets |= ends
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, server_writer, from_client=True))
                group.create_task(self._pump(server_reader, writer, from_client=False))
        except asyncio.CancelledError:
            server_writer.transport.abort()
            raise
        finally:
            self._sockets -= ends
            server_writer.close()
            with suppress(OSError):
                await server_writer.wait_closed()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, from_client: bool
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(2**10 if self.bytes_per_second else 2**16):
                while self.replacement is not None and not from_client and not writer.is_closing():
                    writer.write(self.replacement)
                    await asyncio.sleep(0.1)
                if self.drop_upstream if from_client else self.drop_downstream:
                    self.dropped.set()
                elif 0 < self.cut_after <= len(data) and not from_client:
                    writer.write(data[: self.cut_after])
                    self.cut_after = 0
                    self._end_all(asyncio.StreamWriter.close)  # what was written is sent before
                else:
                    if self.cut_after and not from_client:
                        self.cut_after -= len(data)
                    writer.write(data)
                    await writer.drain()
                    if not from_client:
                        self.bytes_downstream += len(data)
                        self.rate_limited += data.count(b'"rate_limited"')
                    if self.bytes_per_second and not from_client:
                        await asyncio.sleep(len(data) / self.bytes_per_second)
        writer.close()

    def disconnect_all(self) -> None:
        """End all connections; the next ones work."""
        self.drop_upstream = self.drop_downstream = False
        self.replacement = None
        self.dropped.clear()
        self._end_all(lambda end: end.transport.abort())

    def _end_all(self, end_one: Callable[[asyncio.StreamWriter], object]) -> None:
        for end in self._sockets:
            end_one(end)


@asynccontextmanager
async def tcp_relay(system: System) -> AsyncIterator[TcpRelay]:
    relay = TcpRelay(system.ws.port)
    async with stream_server(relay.handle) as port:
        relay.url = f"ws://127.0.0.1:{port}/ws/tasks/"
        yield relay
