"""How often something may happen within a minute, by key; in bounded memory."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from shared.errors import Throttled

WINDOW_SECONDS: Final = 60.0
_KEYS_MAX: Final = 100_000
_DROPPED_AT_ONCE: Final = 100
_KEY_BYTES: Final = 16


class Window:
    """The attempts of one key within a minute that began with its first one."""

    __slots__ = ("attempts", "began", "key")

    def __init__(self, key: bytes, began: float) -> None:
        self.key = key
        self.began = began
        self.attempts = 0


class Throttle:
    """Counts attempts. A key's minute begins with its first attempt; at its end the count is dropped.

    Args:
        limit: attempts a minute for one key; 0 is no limit.
        clock: seconds, monotonic.
    """

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self._clock = clock
        self._windows: OrderedDict[bytes, Window] = OrderedDict()  # the oldest first

    def __len__(self) -> int:
        return len(self._windows)

    def refuse_if_full(self, key: str) -> None:
        """Raises Throttled when there were too many attempts; counts nothing."""
        self._live_window(digest(key))

    def attempt(self, key: str) -> Window:
        """Count an attempt before it is made, so that many at once cannot slip through.

        Raises:
            Throttled: there were too many; this one is not counted.
        """
        digested = digest(key)
        window = self._live_window(digested)
        if window is None:
            window = Window(digested, self._clock())
            if self.limit:
                self._windows[digested] = window
                if len(self._windows) > _KEYS_MAX:
                    self._windows.popitem(last=False)
        window.attempts += 1
        return window

    def _live_window(self, key: bytes) -> Window | None:
        """The key's window, if its minute is not over. Raises Throttled when it is full."""
        now = self._clock()
        self._drop_expired(now)
        window = self._windows.get(key)
        if window is None:
            return None
        if window.began <= now - WINDOW_SECONDS:
            del self._windows[key]
            return None
        if window.attempts >= self.limit:
            raise Throttled(window.began + WINDOW_SECONDS - now)
        return window

    def forgive(self, window: Window) -> None:
        """Take an attempt back: it did not fail."""
        window.attempts -= 1
        if not window.attempts and self._windows.get(window.key) is window:
            del self._windows[window.key]

    def _drop_expired(self, now: float) -> None:
        """More than one attempt adds, but so few that the caller never waits."""
        for _ in range(_DROPPED_AT_ONCE):
            oldest = next(iter(self._windows.values()), None)
            if oldest is None or oldest.began > now - WINDOW_SECONDS:
                return
            self._windows.popitem(last=False)


def digest(key: str) -> bytes:
    """A text of any length in 16 bytes."""
    return hashlib.blake2b(key.encode(errors="surrogatepass"), digest_size=_KEY_BYTES).digest()
