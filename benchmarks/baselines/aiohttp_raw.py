"""``aiohttp_raw PORT ANSWER METHOD PATH``: one aiohttp handler that always sends the same response.

``ANSWER``: a file with the bytes of a response of the gateway; its status, headers and body are sent.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Final

import uvloop
from aiohttp import web

_BY_AIOHTTP: Final = {"content-length", "date", "server"}  # aiohttp adds these


async def _main(port: int, answer: bytes, method: str, path: str) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    status = int(first.split()[1])
    pairs = [line.split(": ", 1) for line in lines]
    headers = {name: value for name, value in pairs if name.lower() not in _BY_AIOHTTP}

    async def send(request: web.Request) -> web.Response:
        if method == "POST":
            await request.read()
        return web.Response(body=body, status=status, headers=headers)

    app = web.Application()
    app.router.add_route(method, path, send)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    print(f"listening on {port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1]), Path(sys.argv[2]).read_bytes(), sys.argv[3], sys.argv[4]))
