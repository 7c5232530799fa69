"""Sockets that only listen, from the first change of their user: each change comes once, in order, without a gap."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection

from tests.support.clients import Account
from tests.support.processes import System
from tests.support.waiting import until

Json = dict[str, Any]


class Follower:
    """A socket on one host. ``tasks``: what its changes make, by uuid; ``arrived``: when the last one came."""

    def __init__(self, system: System, account: Account) -> None:
        self._system, self.account = system, account
        self.seq = -1  # until it is connected
        self.arrived = 0.0
        self.tasks: dict[str, Json] = {}
        self._came = asyncio.Event()

    async def follow(self) -> None:
        """Until cancelled. The server must not end the connection."""
        connection = await self._connect()
        try:
            async for frame in connection:
                self._take(json.loads(frame))
        finally:
            await connection.close()
        raise AssertionError(f"the server has ended a socket: {connection.close_code}")

    async def wait_for(self, seq: int, timeout: float) -> None:
        """Return as soon as that change is here. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            while self.seq < seq:
                self._came.clear()
                await self._came.wait()

    async def _connect(self) -> ClientConnection:
        connection = await websockets.connect(
            self._system.ws_url,
            sock=await self._system.host.connect(self._system.ws.port),
            compression=None,
            ping_interval=None,
            close_timeout=2,
            proxy=None,
        )
        await connection.send(json.dumps({"type": "auth", "token": self.account.access}))
        welcome = json.loads(await connection.recv())
        assert welcome["type"] == "auth", welcome
        self.seq = welcome["seq"]
        return connection

    def _take(self, frame: Json) -> None:
        assert frame["seq"] == self.seq + 1, f"after change {self.seq} came {frame!s:.300}"
        self.seq = frame["seq"]
        self._came.set()
        self.arrived = time.perf_counter()
        if frame["mode"] == "delete":
            del self.tasks[frame["task_id"]]
        else:
            self.tasks[frame["task_id"]] = frame["task"]


@asynccontextmanager
async def following(systems: Sequence[System], accounts: Sequence[Account]) -> AsyncIterator[list[Follower]]:
    """A socket for each account on each host while the body runs, which an error of theirs ends."""
    followers = [Follower(system, account) for system in systems for account in accounts]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(follower.follow()) for follower in followers]
        await until(lambda: all(follower.seq >= 0 for follower in followers), 20, "all follow")
        yield followers
        for task in tasks:
            task.cancel()
