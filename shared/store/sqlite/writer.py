"""The connection that writes: a group at a time, and in quiet moments what must be looked after."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import aiosqlite

from shared.feed.log import LoggedCommit
from shared.store.batching import Outcome
from shared.store.sqlite.connections import on_thread, plain
from shared.store.sqlite.group_commit import GroupCommit
from shared.store.sqlite.transaction import Work

_QUIET_SECONDS: Final = 1.0


class Writer:
    """Runs groups for a ``Batcher``; the listeners hear of a commit before its callers."""

    def __init__(self, connection: aiosqlite.Connection, group_commit: GroupCommit) -> None:
        self._connection = connection
        self._group_commit = group_commit
        self._listeners: list[Callable[[LoggedCommit], None]] = []
        self._loop = asyncio.get_running_loop()
        self._turn = asyncio.Lock()  # the write lock keeps out other processes, not this one's other thread
        self._used_at = self._loop.time()
        self._closing = asyncio.Event()

    def listen(self, listener: Callable[[LoggedCommit], None]) -> None:
        self._listeners.append(listener)

    async def run(self, group: Sequence[Work]) -> list[Outcome]:
        """One outcome for each piece of work, after the commit.

        The statements run on the event loop, when the lock is free and the group is small; the commit, which waits for
        the disk, on the connection's thread.

        Raises:
            FatalError: nobody may be told that anything was written.
        """
        async with self._turn:
            begun = self._group_commit.begin(plain(self._connection), group)
            if begun is None:
                done = await on_thread(self._connection, self._group_commit.run, group)
            else:
                done = await on_thread(self._connection, self._group_commit.finish, group, begun)
            self._used_at = self._loop.time()
        if done.changes or done.others:
            for listener in self._listeners:
                listener(done)
        return done.outcomes

    async def tidy(self) -> None:
        """Look after the log and the files whenever nothing was written for a second, until ``close``.

        To be run as one supervised task.

        Raises:
            FatalError: see ``OpenFiles``.
        """
        pause = _QUIET_SECONDS
        while not await self._closes_within(pause):
            async with self._turn:
                pause = self._used_at + _QUIET_SECONDS - self._loop.time()
                if pause <= 0:
                    await on_thread(self._connection, self._group_commit.when_quiet)
                    pause = _QUIET_SECONDS

    async def _closes_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """``tidy`` returns."""
        self._closing.set()
