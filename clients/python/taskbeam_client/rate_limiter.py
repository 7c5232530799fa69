"""How fast to send, once the server has said that it was too fast. Pure; times are ``time.monotonic()``."""

from __future__ import annotations

from typing import Final

_PER_SECOND: Final = 195.0  # a server's default is 200; what is left over makes up for jitter
_RESERVE_SECONDS: Final = 0.05  # after a refusal, so that the server's bucket is not empty when jitter comes
_BURST: Final = 4  # messages that a sleep which was too long may let go at once
_SLOWER: Final = 1.5
_SLOWEST_SECONDS: Final = 60.0


class RateLimiter:
    """For one connection: the server counts each by itself."""

    def __init__(self) -> None:
        self._interval = 0.0  # as fast as can be
        self._turn = 0.0

    def delay(self, now: float) -> float:
        """Take the next turn. Returns how many seconds there are until then."""
        if not self._interval:
            return 0.0
        delay = max(0.0, self._turn - now)
        self._turn = max(self._turn, now - _BURST * self._interval) + self._interval
        return delay

    def slow_down(self, now: float, retry_after: float) -> None:
        """A message was too early by so many seconds, which is about what it takes the server to allow one more."""
        interval = max(1 / _PER_SECOND, retry_after, _SLOWER * self._interval)
        self._interval = min(interval, _SLOWEST_SECONDS)
        self._turn = now + retry_after + _RESERVE_SECONDS
