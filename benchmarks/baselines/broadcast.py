"""``broadcast PORT``: sends each message of one connection to all others by ``broadcast()`` of `websockets`."""

from __future__ import annotations

import asyncio
import sys

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

_connections: set[ServerConnection] = set()


async def _relay(connection: ServerConnection) -> None:
    await connection.recv()
    await connection.send('{"type":"auth"}')
    _connections.add(connection)
    try:
        async for message in connection:
            broadcast(_connections - {connection}, message)
    finally:
        _connections.discard(connection)


async def _main(port: int) -> None:
    async with serve(_relay, "127.0.0.1", port, compression=None, backlog=4096):
        print(f"listening on {port}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1])))
