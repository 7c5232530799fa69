"""Holds many authenticated connections in a separate process, since one process may open a limited number of files.

``python -m benchmarks.idle_clients URL SOURCE``: reads tokens from standard input, one a line, up to an empty line.
Then each line is a command, answered by one line with a number of sockets:

========= ==============================================================
``count`` sockets that got a push since the last ``count``
``probe`` sockets that answer a ping, and are open
========= ==============================================================

It exits at the end of standard input.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Final

import uvloop

from benchmarks.machine import raise_file_limit
from benchmarks.websocket_load import Client, connect_all

_PROBES_AT_ONCE: Final = 64


async def _lines() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    return reader


async def _main(url: str, source: str) -> None:
    lines = await _lines()
    tokens = []
    while token := (await lines.readline()).decode().strip():
        tokens.append(token)
    clients = await connect_all(url, tokens, source=source)
    pushed: set[Client] = set()

    def listen() -> None:
        for client in clients:
            client.on_answer = lambda of, frame: pushed.add(of) if b'"mode":"create"' in frame else None

    listen()
    print(len(clients), flush=True)
    async for line in lines:
        if line == b"count\n":
            print(len(pushed), flush=True)
            pushed.clear()
        else:
            print(await _probe(clients), flush=True)
            listen()


async def _probe(clients: list[Client]) -> int:
    gate = asyncio.Semaphore(_PROBES_AT_ONCE)

    async def answers(client: Client) -> bool:
        async with gate:
            return not client.closed and b'"pong"' in await client.ask(b'{"mode":"ping"}')

    return sum(await asyncio.gather(*[answers(client) for client in clients]))


if __name__ == "__main__":
    raise_file_limit()
    uvloop.run(_main(sys.argv[1], sys.argv[2]))
