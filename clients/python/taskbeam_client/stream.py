"""What happens to the tasks, for whoever wants to follow it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from taskbeam_client.errors import ObserverTooSlow, copy_to_raise
from taskbeam_client.models import Event


class ChangeStream(AsyncIterator[Event]):
    """What ``async for event in client.changes()`` iterates over: a snapshot first, as soon as there is one, then each
    change once, in order, without a gap.

    Where changes were missed for good (the server's history is gone, or was replaced), another snapshot takes their
    place. The stream ends when the client is closed.

    Raises:
        ObserverTooSlow: more events wait than the client's ``observer_limit``.
        TaskbeamClientError: what ended the client, if something did.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._events: deque[Event] = deque()
        self._news = asyncio.Event()
        self._end: Exception | None = None

    def put(self, event: Event) -> None:
        if self._end is not None:
            return
        if len(self._events) >= self._limit:
            self._events.clear()
            self.end(ObserverTooSlow(f"more than {self._limit} changes were waiting"))
            return
        self._events.append(event)
        self._news.set()

    def end(self, reason: Exception | None = None) -> None:
        """Nothing comes after what waits already."""
        if self._end is None:
            self._end = StopAsyncIteration() if reason is None else reason
            self._news.set()

    async def __anext__(self) -> Event:
        while not self._events:
            if self._end is not None:
                raise copy_to_raise(self._end)
            self._news.clear()
            await self._news.wait()
        return self._events.popleft()
