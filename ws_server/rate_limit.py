"""How many messages one connection may send: a token bucket, and an end for who does not care."""

from __future__ import annotations

from typing import Final

REFUSALS_MAX: Final = 1000
REFUSALS_SECONDS: Final = 10.0


class MessageRate:
    """Args: ``per_second`` messages, a burst of twice that; 0 is no limit. Times are
    ``time.monotonic()``: a loop's own clock may stand still for a turn, and count in milliseconds."""

    __slots__ = ("_per_second", "_refusals", "_refusals_since", "_then", "_tokens")

    def __init__(self, per_second: int, now: float) -> None:
        self._per_second = per_second
        self._tokens = 2.0 * per_second
        self._then = now
        self._refusals = 0
        self._refusals_since = now

    def wait(self, now: float) -> float:
        """0.0 when a message may be carried out, else the seconds until one may."""
        if not self._per_second:
            return 0.0
        tokens = min(2.0 * self._per_second, self._tokens + (now - self._then) * self._per_second)
        self._then = now
        if tokens >= 1.0:
            self._tokens = tokens - 1.0
            return 0.0
        self._tokens = tokens
        if now - self._refusals_since > REFUSALS_SECONDS:
            self._refusals, self._refusals_since = 0, now
        self._refusals += 1
        return (1.0 - tokens) / self._per_second

    @property
    def ignored(self) -> bool:
        """Whether the client goes on although it was refused again and again."""
        return self._refusals >= REFUSALS_MAX
