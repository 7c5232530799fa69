"""How many messages one connection may send: a token bucket. Clients that ignore its refusals are disconnected."""

from __future__ import annotations

from typing import Final

IGNORED_MAX: Final = 1000
IGNORED_SECONDS: Final = 10.0
_WHOLE: Final = 1.0 - 1e-6  # a token, but for the rounding of floats
_TOLD_AHEAD_SECONDS: Final = 60.0  # the longest time that is told


class MessageRate:
    """A refused message is told when there will be room for it, each a time of its own: so those that a client sent
    together need not be refused again when each waits as it was told.

    Messages have no names, so whether one came sooner than it was told is found by counting: as many may be refused
    without ignoring anything as times were told and have come. (One that comes then and is let through is not refused;
    whoever waited for its answer goes on, and may be in its stead.) What is refused beyond that counts as ignoring.

    Args: ``per_second`` messages, a burst of twice that; 0 is no limit. Times are
    ``time.monotonic()``: a loop's own clock may stand still for a turn, and count in milliseconds.
    """

    __slots__ = (
        "_expected",
        "_ignored",
        "_ignored_since",
        "_next_told",
        "_per_second",
        "_then",
        "_tokens",
        "_told",
    )

    def __init__(self, per_second: int, now: float) -> None:
        self._per_second = per_second
        self._tokens = 2.0 * per_second
        self._then = now
        self._told = 0  # times that were told and have not come yet, one every 1 / per_second from
        self._next_told = now
        self._expected = 1  # messages that may be refused without ignoring anything
        self._ignored = 0
        self._ignored_since = now

    def wait(self, now: float) -> float:
        """0.0 when a message may be carried out, else the seconds until it may."""
        if self._take(now):
            return 0.0
        told = now + (1.0 - self._tokens) / self._per_second
        if self._told:
            told = max(told, min(self._next_told + self._told / self._per_second, now + _TOLD_AHEAD_SECONDS))
        else:
            self._next_told = told
        self._told += 1
        return told - now

    def count(self, now: float) -> None:
        """A frame came that counts as a message, and cannot be told to wait."""
        self._take(now)

    def _take(self, now: float) -> bool:
        """Whether there is room for one more."""
        per_second = self._per_second
        if not per_second:
            return True
        if self._told:
            self._expect_told(now)
        tokens = min(2.0 * per_second, self._tokens + (now - self._then) * per_second)
        self._then = now
        if tokens >= _WHOLE:
            self._tokens = tokens - 1.0
            return True
        self._tokens = tokens
        if self._expected:
            self._expected -= 1
        else:
            if now - self._ignored_since > IGNORED_SECONDS:
                self._ignored, self._ignored_since = 0, now
            self._ignored += 1
        return False

    def _expect_told(self, now: float) -> None:
        """Of the times that were told, some may have come."""
        due = min(self._told, int((now - self._next_told) * self._per_second) + 1)
        if now >= self._next_told and due:
            self._told -= due
            self._next_told += due / self._per_second
            self._expected = min(self._expected + due, 2 * self._per_second)

    @property
    def is_ignored(self) -> bool:
        """Whether the client goes on although it was refused again and again."""
        return self._ignored >= IGNORED_MAX
