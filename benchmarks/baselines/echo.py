"""``echo PORT``: parses every message and sends it back as JSON; ``websockets`` on uvloop."""

from __future__ import annotations

import asyncio
import sys

import msgspec
import uvloop
from websockets.asyncio.server import ServerConnection, serve


async def _echo(connection: ServerConnection) -> None:
    await connection.recv()
    await connection.send('{"type":"auth"}')
    async for message in connection:
        request = msgspec.json.decode(message)
        await connection.send(msgspec.json.encode({"mode": request["mode"], "task": request}), text=True)


async def _main(port: int) -> None:
    async with serve(_echo, "127.0.0.1", port, compression=None, backlog=4096):
        print(f"listening on {port}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1])))
