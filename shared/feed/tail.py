"""The change feed over a log: it reads the log, and hands every change to the listeners, once, in order.

The commits of this process are handed on at once, where no change of another process comes before them. All other
changes are read from the log: after a wake-up, and every half second. So a listener gets one ordered stream, whichever
process wrote, and a lost wake-up costs time, never a change.

A paused feed leaves wake-ups unread. Every half second it reads revocations, and skips the changes of other processes,
which no listener wants.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from shared.errors import Unavailable
from shared.feed import FeedListener, Lag
from shared.feed.log import Log, LoggedCommit, Position
from shared.feed.wake import WakeSocket, open_wake
from shared.models import Change

POLL_SECONDS: Final = 0.5
_AWAY_SECONDS: Final = 30.0  # without the database, then the process exits and the supervisor restarts it

log = logging.getLogger(__name__)


class LogTail:
    """A ``shared.feed.ChangeFeed``: this process's reader of the log."""

    def __init__(self, log: Log, start: Position) -> None:
        self._log = log
        self._position = start
        self._listeners: list[FeedListener] = []
        self._caught_up = time.monotonic()  # when the log was last read to its end
        self._wanted = asyncio.Event()
        self._paused = False
        self._resuming: list[asyncio.Future[None]] = []
        self._wake: WakeSocket | None = None
        log.listen(self._on_commit)

    def subscribe(self, listener: FeedListener) -> None:
        self._listeners.append(listener)

    def look(self, user_id: int | None = None) -> None:
        self._wanted.set()

    async def resume(self, user_id: int) -> None:
        if self._paused:
            resumed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._resuming.append(resumed)
            self.look()
            await resumed

    async def lag(self) -> Lag:
        if self._paused:
            return Lag(0, 0.0)
        end = await self._log.position()
        changes = max(0, end.changes - self._position.changes)
        return Lag(changes, time.monotonic() - self._caught_up if changes else 0.0)

    def wake_others_by(self, wake: WakeSocket) -> None:
        """Wake the other processes after each commit of this one."""
        self._wake = wake

    def _are_changes_wanted(self) -> bool:
        return any(listener.users() for listener in self._listeners)

    def _on_commit(self, commit: LoggedCommit) -> None:
        changes = commit.changes
        if self._wake is not None:
            self._wake.wake_others()
        if changes and commit.position == self._position.changes + 1:
            self._position = self._position._replace(changes=self._position.changes + len(changes))
            self._hand_on(changes)
        elif changes and self._are_changes_wanted():
            self.look()
        if commit.others:  # perhaps a revocation
            self.look()

    async def follow(self) -> None:
        """Read and hand on changes until cancelled; run it as one supervised task.

        Raises:
            Unavailable: the database did not answer for too long.
        """
        away_since: float | None = None
        try:
            while True:
                try:
                    async with asyncio.timeout(POLL_SECONDS):
                        await self._wanted.wait()
                except TimeoutError:
                    pass
                self._wanted.clear()
                if self._wake is not None:
                    self._wake.restore()
                try:
                    await self._skip_what_nobody_wanted()
                    await self._read_all()
                    self._caught_up = time.monotonic()
                    self._pause(not self._are_changes_wanted())
                    self._answer_resuming(None)
                    away_since = None
                except Unavailable as error:
                    self._answer_resuming(error)
                    if away_since is None:
                        away_since = time.monotonic()
                        log.warning("cannot read the change log: %s", error.reason)
                    if time.monotonic() - away_since > _AWAY_SECONDS:
                        raise
        finally:
            self._paused = False
            self._answer_resuming(Unavailable("the change feed has ended"))

    def _pause(self, paused: bool) -> None:
        self._paused = paused
        if self._wake is not None:
            self._wake.receive(not paused)

    async def _skip_what_nobody_wanted(self) -> None:
        if self._paused:
            end = await self._log.position()
            self._position = self._position._replace(changes=max(self._position.changes, end.changes))

    def _answer_resuming(self, error: Unavailable | None) -> None:
        resuming, self._resuming = self._resuming, []
        for resumed in resuming:
            if resumed.done():  # its caller was cancelled
                continue
            if error is None:
                resumed.set_result(None)
            else:
                resumed.set_exception(error)

    async def _read_all(self) -> None:
        more = True
        while more:
            tail = await self._log.tail(self._position)
            # Our own commits may have been handed on meanwhile.
            changes = [
                change
                for change, position in zip(tail.changes, tail.positions, strict=True)
                if position > self._position.changes
            ]
            self._position = Position(
                max(self._position.changes, tail.position.changes), tail.position.revocations
            )
            if changes:
                self._hand_on(changes)
            if tail.revocations:
                for listener in self._listeners:
                    listener.on_revocations(tail.revocations)
            more = tail.more

    def _hand_on(self, changes: list[Change]) -> None:
        for listener in self._listeners:
            listener.on_changes(changes)


@asynccontextmanager
async def open_tail(log: Log, wake_folder: Path, process: str) -> AsyncIterator[LogTail]:
    """A feed of the changes from now on, for the process ``process``. Where its reader fails, the body is cancelled."""
    feed = LogTail(log, await log.position())
    async with open_wake(wake_folder, process, feed.look) as wake, asyncio.TaskGroup() as tasks:
        feed.wake_others_by(wake)
        reader = tasks.create_task(feed.follow())
        try:
            yield feed
        finally:
            reader.cancel()
