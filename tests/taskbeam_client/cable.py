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
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._sockets: set[asyncio.StreamWriter] = set()
        self.url = ""
        self.deaf = False
        self.mute = False
        self.swallowed = asyncio.Event()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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
            while data := await reader.read(2**16):
                if self.deaf if from_client else self.mute:
                    self.swallowed.set()
                else:
                    writer.write(data)
                    await writer.drain()
        writer.close()

    def cut(self) -> None:
        """End all connections; the next ones work."""
        self.deaf = self.mute = False
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
