"""An SQLite store as the source of a fan-out, and a carrier within one process whose hints a test may lose."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence

from shared.errors import Unavailable
from shared.feed.carrier import HintListener
from shared.feed.log import Position
from shared.feed.source import SourceCommit
from shared.models import Change, ChangePage, Revocation
from shared.store.sqlite.store import SqliteStore

_PAST_ALL_CHANGES = 2**62


class SqliteSource:
    """Each call of ``reads`` is counted; ``is_away`` makes them fail."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.epoch = store.epoch
        self.is_away = False
        self.reads = 0
        self.sweeps = 0

    def listen(self, listener: Callable[[SourceCommit], None]) -> None:
        self.store.listen(listener)

    def _ask(self) -> None:
        if self.is_away:
            raise Unavailable("away")

    async def read_epoch(self) -> str:
        self._ask()
        return await self.store.read_epoch()

    async def seqs(self, user_ids: Collection[int]) -> dict[int, int]:
        self._ask()
        self.sweeps += 1
        return await self.store.seqs(user_ids)

    async def changes(self, user_id: int, epoch: str, since: int, limit: int) -> ChangePage:
        self._ask()
        self.reads += 1
        return await self.store.changes(user_id, epoch, since, limit)

    async def revocations(self, after: int | None) -> tuple[list[Revocation], int]:
        self._ask()
        if after is None:
            return [], (await self.store.position()).revocations
        tail = await self.store.tail(Position(_PAST_ALL_CHANGES, after))
        return tail.revocations, tail.position.revocations


class Exchange:
    """Joins the carriers of several feeds. ``carry`` says of each hint how often it arrives."""

    def __init__(self, carry: Callable[[], int] = lambda: 1) -> None:
        self.carry = carry
        self.listeners: list[HintListener] = []

    def tell(self, tell: Callable[[HintListener], None]) -> None:
        for listener in self.listeners:
            for _ in range(self.carry()):
                tell(listener)


class LocalCarrier:
    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.followed: set[int] = set()

    def publish(self, changes: Sequence[Change]) -> None:
        for change in changes:
            self._exchange.tell(lambda listener, change=change: listener.on_change(change))  # type: ignore[misc]

    def publish_revocations(self) -> None:
        self._exchange.tell(lambda listener: listener.on_revocations())

    def follow(self, user_ids: Iterable[int]) -> None:
        self.followed |= set(user_ids)

    def unfollow(self, user_ids: Iterable[int]) -> None:
        self.followed -= set(user_ids)

    async def run(self, listener: HintListener) -> None:
        self._exchange.listeners.append(listener)
        await asyncio.Event().wait()
