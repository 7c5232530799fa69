"""How often somebody may fail: attempts within the last minute, by account and by address."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from shared.errors import Throttled

WINDOW_SECONDS: Final = 60.0
_KEYS_MAX: Final = 100_000


class Throttle:
    """Args: ``limit`` attempts a minute for one key; 0 is no limit. ``clock`` is in seconds."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._attempts: OrderedDict[str, deque[float]] = OrderedDict()

    def attempt(self, key: str) -> None:
        """Count an attempt before it is made, so that many at once cannot slip through.

        Raises:
            Throttled: there were too many.
        """
        if not self._limit:
            return
        now = self._clock()
        attempts = self._attempts.setdefault(key, deque())
        self._attempts.move_to_end(key)
        while attempts and attempts[0] <= now - WINDOW_SECONDS:
            attempts.popleft()
        if len(attempts) >= self._limit:
            raise Throttled(attempts[0] + WINDOW_SECONDS - now)
        attempts.append(now)
        if len(self._attempts) > _KEYS_MAX:
            self._attempts.popitem(last=False)

    def forgive(self, key: str) -> None:
        """Take the last attempt back: it did not fail."""
        if (attempts := self._attempts.get(key)) and attempts:
            attempts.pop()
            if not attempts:
                del self._attempts[key]
