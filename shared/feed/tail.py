"""The change feed: tails the log and hands every change to the listeners, once, in order.

What this process commits itself is handed on at once, provided that nothing of another process
comes before it; everything else is read from the log. A wake-up call makes the reader look now,
and it looks every half second even if no call came. So a listener sees one ordered stream,
whoever wrote, and a lost call costs time, never a change.

While no listener wants changes, the feed sleeps: it takes no calls, and skips the changes of others when
it looks, every half second, for revocations. A process that nobody listens at has better things to do
than to read what the others write.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Protocol

from shared.errors import Unavailable
from shared.feed.wake import Wake, open_wake
from shared.models import Change
from shared.store import Commit, Position, Revocation, Store

POLL_SECONDS: Final = 0.5
_AWAY_SECONDS: Final = 30.0  # without the database, and the supervisor gets its turn

log = logging.getLogger(__name__)


class FeedListener(Protocol):
    """Hears all revocations, and all changes while some listener wants them, in order; must not block or raise."""

    def wants_changes(self) -> bool:
        """Whether it has a use for changes at this moment. When it begins to, see ``ChangeFeed.awake``."""
        ...

    def on_changes(self, changes: list[Change]) -> None: ...
    def on_revocations(self, revocations: list[Revocation]) -> None: ...


class ChangeFeed:
    """One process's reader of the log."""

    def __init__(self, store: Store, start: Position) -> None:
        self._store = store
        self._position = start
        self._listeners: list[FeedListener] = []
        self._wanted = asyncio.Event()
        self._asleep = False
        self._wakers: list[asyncio.Future[None]] = []
        self._wake: Wake | None = None
        store.listen(self._on_commit)

    def subscribe(self, listener: FeedListener) -> None:
        self._listeners.append(listener)

    def look(self) -> None:
        """Read the log now."""
        self._wanted.set()

    async def awake(self) -> None:
        """Wait until the feed follows the log; at once, unless it is asleep.

        A listener that begins to want changes first does so, then waits for this, and only then reads the state that
        the changes are to continue. It hears all that comes after that state, and may hear some that are in it.

        Raises:
            Unavailable: the log cannot be read now.
        """
        if self._asleep:
            waker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._wakers.append(waker)
            self.look()
            await waker

    def _is_heard(self) -> bool:
        return any(listener.wants_changes() for listener in self._listeners)

    def call_others_with(self, wake: Wake) -> None:
        self._wake = wake

    def _on_commit(self, commit: Commit) -> None:
        changes = commit.changes
        if self._wake is not None:
            self._wake.call()
        if changes and commit.position == self._position.changes + 1:
            self._position = self._position._replace(changes=self._position.changes + len(changes))
            self._hand_on(changes)
        elif changes and self._is_heard():
            self.look()
        if commit.others:  # perhaps a revocation
            self.look()

    async def tail(self) -> None:
        """Read and hand on until cancelled; to be run as one supervised task.

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
                    self._wake.stay_at_home()
                try:
                    await self._skip_what_was_slept_through()
                    await self._read_all()
                    self._sleep(not self._is_heard())
                    self._answer_wakers(None)
                    away_since = None
                except Unavailable as error:
                    self._answer_wakers(error)
                    if away_since is None:
                        away_since = time.monotonic()
                        log.warning("cannot read the change log: %s", error.reason)
                    if time.monotonic() - away_since > _AWAY_SECONDS:
                        raise
        finally:
            self._asleep = False
            self._answer_wakers(Unavailable("the change feed has ended"))

    def _sleep(self, asleep: bool) -> None:
        self._asleep = asleep
        if self._wake is not None:
            self._wake.take_calls(not asleep)

    async def _skip_what_was_slept_through(self) -> None:
        if self._asleep:
            end = await self._store.position()
            self._position = self._position._replace(changes=max(self._position.changes, end.changes))

    def _answer_wakers(self, error: Unavailable | None) -> None:
        wakers, self._wakers = self._wakers, []
        for waker in wakers:
            if waker.done():  # its caller was cancelled
                continue
            if error is None:
                waker.set_result(None)
            else:
                waker.set_exception(error)

    async def _read_all(self) -> None:
        more = True
        while more:
            tail = await self._store.tail(self._position)
            # Meanwhile our own commits may have been handed on.
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
async def open_feed(store: Store, wake_folder: Path, process: str) -> AsyncIterator[ChangeFeed]:
    """A feed from now on, read until the body ends; should the reader die, the body is cancelled."""
    feed = ChangeFeed(store, await store.position())
    async with open_wake(wake_folder, process, feed.look) as wake, asyncio.TaskGroup() as tasks:
        feed.call_others_with(wake)
        reader = tasks.create_task(feed.tail())
        try:
            yield feed
        finally:
            reader.cancel()
