"""How many connections a user may have at one process, or at all processes of its kind together.

Where processes share their counts, each publishes its own once a second, and asks whose are too many in all. So nobody who
connects waits for that: a connection too many is accepted, and ended within about a second, the newest first. While the
database does not answer, each process limits its own.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Collection
from contextlib import suppress
from typing import Final, Protocol, TypeVar

from shared.errors import Unavailable
from shared.store.shared_counts import LEASE_SECONDS, ConnectionCounts, Elsewhere

T = TypeVar("T")

INTERVAL_SECONDS: Final = 1.0
_TIMEOUT_SECONDS: Final = 2.0
_USERS_AT_ONCE: Final = 5000

log = logging.getLogger(__name__)


class UserConnections(Protocol):
    """The connections that are open here."""

    def users(self) -> Collection[int]: ...

    def count(self, user_id: int) -> int:
        """Without those that are ending."""
        ...

    def end_newest(self, user_id: int, number: int) -> None: ...


class ConnectionLimit:
    """Told of every change of a user's connections; asked before there is one more.

    Args:
        most: connections that a user may have.
        kind: of the process; connections are limited among the processes of a kind.
        counts: of all machines; ``None`` where each process has a limit of its own.
    """

    def __init__(self, most: int, kind: str, counts: ConnectionCounts | None = None) -> None:
        self._most = most
        self._kind = kind
        self._counts = counts
        self._process = secrets.randbits(63)
        self._changed: set[int] = set()  # users whose connections are to be published
        self._asked_again: set[int] = set()  # others may have published theirs while ours were read
        self._elsewhere: dict[
            int, int
        ] = {}  # connections at other processes, of users who have as many as they may
        self._forgets_at = 0.0
        self._away_since: float | None = None

    def allows(self, user_id: int, here: int) -> bool:
        """Whether the user, who has so many connections here, may have another."""
        return here + self._elsewhere.get(user_id, 0) < self._most

    def on_change(self, user_id: int) -> None:
        """The user has more or fewer connections here than before."""
        if self._counts is not None:
            self._changed.add(user_id)

    async def run(self, connections: UserConnections) -> None:
        """Keep to the common limit, until cancelled; to be run as one supervised task."""
        if self._counts is None:
            return
        try:
            while True:
                try:
                    await self._exchange(self._counts, connections)
                    self._note_back()
                except (Unavailable, TimeoutError) as error:
                    self._note_away(error)
                await asyncio.sleep(INTERVAL_SECONDS)
        finally:
            with suppress(Unavailable, TimeoutError):
                await _in_time(self._counts.leave(self._process))

    async def _exchange(self, counts: ConnectionCounts, connections: UserConnections) -> None:
        """Publish first, then ask: of two processes with new connections, at least one sees those of the other."""
        changed = await self._publish(counts, connections)
        asked = changed | self._asked_again | self._elsewhere.keys()
        self._asked_again = changed
        for users in _parts(asked):
            full = await _in_time(counts.full(self._process, self._kind, users, self._most))
            ended = [
                user_id for user_id in users if self._keep_to_limit(user_id, full.get(user_id), connections)
            ]
            if ended:
                await self._publish(counts, connections)  # before another process ends some for these
        if time.monotonic() >= self._forgets_at:
            self._forgets_at = time.monotonic() + LEASE_SECONDS
            await _in_time(counts.forget_gone())

    async def _publish(self, counts: ConnectionCounts, connections: UserConnections) -> set[int]:
        """The users whose connections were published; that of none says that the process is there."""
        changed, self._changed = self._changed, set()
        try:
            for users in _parts(changed) or [[]]:
                published = {user_id: connections.count(user_id) for user_id in users}
                if await _in_time(counts.publish(self._process, self._kind, published)):
                    self._changed.update(connections.users())
        except BaseException:
            self._changed |= changed
            raise
        return changed

    def _keep_to_limit(self, user_id: int, elsewhere: Elsewhere | None, connections: UserConnections) -> bool:
        """End what is too many; returns whether there was any. ``None``: the user has fewer than are allowed."""
        if elsewhere is None:
            self._elsewhere.pop(user_id, None)
            return False
        self._elsewhere[user_id] = elsewhere.connections
        too_many = connections.count(user_id) - max(0, self._most - elsewhere.earlier)
        if too_many <= 0:
            return False
        connections.end_newest(user_id, too_many)
        self._changed.add(user_id)
        return True

    def _note_away(self, error: Exception) -> None:
        self._elsewhere.clear()
        if self._away_since is None:
            self._away_since = time.monotonic()
            reason = str(error) or "PostgreSQL does not answer"
            log.warning("connections of a user are limited by this process alone: %s", reason)

    def _note_back(self) -> None:
        if self._away_since is not None:
            seconds = time.monotonic() - self._away_since
            log.warning("connections of a user are limited together again, after %.1f s", seconds)
            self._away_since = None


def _parts(users: Collection[int]) -> list[list[int]]:
    every = list(users)
    return [every[start : start + _USERS_AT_ONCE] for start in range(0, len(every), _USERS_AT_ONCE)]


async def _in_time(work: Awaitable[T]) -> T:
    """Raises TimeoutError."""
    async with asyncio.timeout(_TIMEOUT_SECONDS):
        return await work
