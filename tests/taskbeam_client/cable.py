"""A TCP relay between a client and the server, that fails in the ways in which networks fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.support.processes import System


class Cable:
    """Attributes:
    deaf: nothing that the client sends gets through any more, on the connections there are.
    mute: nothing that the server sends gets through any more.
    foreign: what somebody else answers to each new connection.
    bytes_per_second: of what the server sends; 0 is no limit.
    instead: what the client gets every 0.1 s, in place of all that the server sends.
    connections: how many there were.
    carried: bytes that have come from the server.
    refusals: how often it has said that there were too many messages.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._sockets: set[asyncio.StreamWriter] = set()
        self.url = ""
        self.deaf = False
        self.mute = False
        self.foreign: bytes | None = None
        self.bytes_per_second = 0
        self.instead: bytes | None = None
        self.connections = 0
        self.carried = 0
        self.refusals = 0
        self.swallowed = asyncio.Event()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.foreign is not None:
            await reader.read(2**16)
            writer.write(self.foreign)
            writer.close()
            return
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            writer.close()
            return
        ends = {writer, server_writer}
        self._sockets |= ends
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, server_writer, from_client=True))
                group.create_task(self._pump(server_reader, writer, from_client=False))
        finally:
            self._sockets -= ends
            for end in ends:
                end.close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, from_client: bool
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(2**10 if self.bytes_per_second else 2**16):
                while self.instead is not None and not from_client and not writer.is_closing():
                    writer.write(self.instead)
                    await asyncio.sleep(0.1)
                if self.deaf if from_client else self.mute:
                    self.swallowed.set()
                else:
                    writer.write(data)
                    await writer.drain()
                    if not from_client:
                        self.carried += len(data)
                        self.refusals += data.count(b'"rate_limited"')
                    if self.bytes_per_second and not from_client:
                        await asyncio.sleep(len(data) / self.bytes_per_second)
        writer.close()

    def cut(self) -> None:
        """End all connections; the next ones work."""
        self.deaf = self.mute = False
        self.instead = None
        self.swallowed.clear()
        for end in self._sockets:
            end.transport.abort()


@asynccontextmanager
async def cable(system: System) -> AsyncIterator[Cable]:
    relay = Cable(system.ws.port)
    server = await asyncio.start_server(relay.carry, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    relay.url = f"ws://127.0.0.1:{port}/ws/tasks/"
    try:
        yield relay
    finally:
        server.close()
        relay.cut()
