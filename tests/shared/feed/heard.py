"""A listener of the change feed that remembers, and can be waited for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection

from shared.feed import ChangeFeed
from shared.models import Change, Revocation


class Heard:
    """Subscribes to the feed that it is made with. Who adds to ``wanted`` waits for the feed to resume."""

    wanted: Collection[int] = (0,)

    def __init__(self, feed: ChangeFeed) -> None:
        self.changes: list[Change] = []
        self.revocations: list[Revocation] = []
        self._news = asyncio.Event()
        feed.subscribe(self)

    def users(self) -> Collection[int]:
        return self.wanted

    def on_changes(self, changes: list[Change]) -> None:
        self.changes += changes
        self._news.set()

    def on_revocations(self, revocations: list[Revocation]) -> None:
        self.revocations += revocations
        self._news.set()

    async def until(self, condition: Callable[[], bool], timeout: float = 10.0) -> float:
        """Wait for what should be heard; the seconds that it took."""
        began = time.monotonic()
        async with asyncio.timeout(timeout):
            while not condition():
                await self._news.wait()
                self._news.clear()
        return time.monotonic() - began
