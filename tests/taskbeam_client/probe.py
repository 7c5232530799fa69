"""``python -m tests.taskbeam_client.probe URL``: is the event loop behind this URL ever late? A process of its own, so that what
the test's clients do with their time does not count. Reads an access token from its standard input.

Once the server answers, sends WebSocket pings, which a server answers in its event loop without doing anything else.
When its standard input ends, prints what it has measured, as JSON, in seconds.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from typing import NamedTuple

import websockets
from websockets.asyncio.client import ClientConnection

from tests.support.processes import ROOT

_EVERY = 0.01


class Measured(NamedTuple):
    """``longest`` answer among ``pings``; ``own`` is how late the probe itself was, at worst: the machine's noise."""

    pings: int
    longest: float
    own: float


async def _main(url: str, token: str) -> None:
    stop = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    pings, longest, own = 0, 0.0, 0.0
    socket = await _connect(url)
    await socket.send(json.dumps({"type": "auth", "token": token, "push": False}))
    while not stop.done():
        begin = time.monotonic()
        await (await socket.ping())
        longest, pings = max(longest, time.monotonic() - begin), pings + 1
        begin = time.monotonic()
        await asyncio.sleep(_EVERY)
        own = max(own, time.monotonic() - begin - _EVERY)
    print(json.dumps(Measured(pings, longest, own)))
    await socket.close()


async def _connect(url: str) -> ClientConnection:
    async with asyncio.timeout(30):
        while True:
            try:
                return await websockets.connect(url, proxy=None, ping_interval=None)
            except (OSError, websockets.InvalidMessage):
                await asyncio.sleep(_EVERY)


class Probe:
    """Started with its making."""

    def __init__(self, url: str, token: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, url],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        self._process.stdin.write(token + "\n")
        self._process.stdin.flush()

    def stop(self) -> Measured:
        """Raises TimeoutExpired where the server does not answer at all."""
        try:
            output, _ = self._process.communicate(timeout=20)
        finally:
            self._process.kill()
        return Measured(*json.loads(output))


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.stdin.readline().strip()))
