"""Attempts that the processes of all machines count together; this one goes on alone while the database does not answer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Final

from shared.auth.throttle import WINDOW_SECONDS
from shared.errors import Throttled, Unavailable
from shared.store.shared_counts import AttemptCounts, Counted

Windows = Sequence[tuple[bytes, object]]
"""Where an attempt was counted: the keys, and which of their windows."""
_Ask = Callable[[Collection[bytes], float], Awaitable[dict[bytes, Counted]]]

TIMEOUT_SECONDS: Final = 1.0
"""How long an attempt waits to be counted."""

ALONE_SECONDS: Final = 10.0
"""How long after that nothing is asked."""

_FULL_SECONDS: Final = (
    1.0  # for so long nothing is asked about a key that was full: attempts may be taken back
)
_FULL_MAX: Final = 10_000
_TAKEN_BACK_MAX: Final = 10_000

log = logging.getLogger(__name__)


class SharedAttempts:
    """Counts by key.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, counts: AttemptCounts, clock: Callable[[], float] = time.monotonic) -> None:
        self._counts = counts
        self._clock = clock
        self._full: OrderedDict[bytes, tuple[float, float]] = (
            OrderedDict()
        )  # until when; when it is asked again
        self._taken_back: Counter[tuple[bytes, object]] = Counter()
        self._has_taken_back = asyncio.Event()
        self._away_since: float | None = None
        self._asks_again = 0.0

    def refuse_if_full(self, key: bytes) -> None:
        """Raises Throttled where the key was full a moment ago; asks nobody."""
        now = self._clock()
        until, asked_again = self._full.get(key, (now, now))
        if now < min(until, asked_again):
            raise Throttled(until - now)

    async def attempt(self, limits: Mapping[bytes, int]) -> Windows:
        """Count an attempt for each key, each of which may have so many within a minute.

        Returns:
            What is to be taken back where the attempt shall not count.

        Raises:
            Throttled: there were too many of one; this attempt is not counted.
        """
        counted = await self._ask(self._counts.count, limits)
        windows = [(key, count.window) for key, count in counted.items()]
        try:
            self._refuse({key: count for key, count in counted.items() if count.attempts > limits[key]})
        except Throttled:
            self.take_back_soon(windows)
            raise
        return windows

    async def ask(self, limits: Mapping[bytes, int]) -> None:
        """Raises Throttled where one of the keys is full; counts nothing."""
        counted = await self._ask(self._counts.read, limits)
        self._refuse({key: count for key, count in counted.items() if count.attempts >= limits[key]})

    async def _ask(self, ask: _Ask, limits: Mapping[bytes, int]) -> dict[bytes, Counted]:
        """Nothing where the database does not answer, or has not a moment ago."""
        if self._clock() < self._asks_again:
            return {}
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                counted = await ask(limits.keys(), WINDOW_SECONDS)
        except (Unavailable, TimeoutError) as error:
            self._note_away(error)
            return {}
        self._note_back()
        return counted

    def _refuse(self, full: Mapping[bytes, Counted]) -> None:
        """Raises Throttled where there are any, and remembers them."""
        if not full:
            return
        now = self._clock()
        for key, count in full.items():
            self._full[key] = now + count.seconds_left, now + _FULL_SECONDS
            self._full.move_to_end(key)
        while len(self._full) > _FULL_MAX:
            self._full.popitem(last=False)
        raise Throttled(max(count.seconds_left for count in full.values()))

    async def take_back(self, windows: Windows) -> None:
        """The attempts do not count any more, for no machine, when this returns; unless the database is away."""
        await self._take_back(Counter(windows))

    def take_back_soon(self, windows: Windows) -> None:
        """Like ``take_back``, for those who cannot wait."""
        if len(self._taken_back) < _TAKEN_BACK_MAX:  # otherwise they count, to the end of their minute
            self._taken_back.update(windows)
            self._has_taken_back.set()

    async def run(self) -> None:
        """Take back what is to be taken back soon, until cancelled."""
        while True:
            await self._has_taken_back.wait()
            self._has_taken_back.clear()
            taken_back, self._taken_back = self._taken_back, Counter()
            await self._take_back(taken_back)

    async def _take_back(self, windows: Mapping[tuple[bytes, object], int]) -> None:
        if not windows:
            return
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await self._counts.take_back(windows)
        except (Unavailable, TimeoutError) as error:
            self._note_away(error)

    def _note_away(self, error: Exception) -> None:
        now = self._clock()
        self._asks_again = now + ALONE_SECONDS
        if self._away_since is None:
            self._away_since = now
            log.warning(
                "failed logins are counted by this process alone: %s",
                str(error) or "PostgreSQL does not answer",
            )

    def _note_back(self) -> None:
        if self._away_since is not None:
            seconds = self._clock() - self._away_since
            log.warning("failed logins are counted together again, after %.1f s", seconds)
            self._away_since = None
