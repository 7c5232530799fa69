"""Where servers run. Here it is this machine; ``tests/cluster/network.py`` has others."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager


class Host:
    """This machine.

    Attributes:
        address: where servers listen.
        prefix: what the commands of servers begin with.
    """

    address = "127.0.0.1"
    prefix: tuple[str, ...] = ()

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Sockets that are made in the block, and processes that are started there, are on the host."""
        yield

    async def connect(self, port: int) -> socket.socket:
        """Connect to a server of the host, from the host itself. Raises OSError."""
        with self.entered():
            connection = socket.socket(proto=socket.IPPROTO_TCP)
        connection.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(connection, (self.address, port))
        except BaseException:
            connection.close()
            raise
        return connection


THIS_MACHINE = Host()
