"""How long to wait before the next try: exponential, bounded, with full jitter."""

from __future__ import annotations

import random


class Backoff:
    """Random waits that grow: the n-th is anything between 0 and ``first * 2**n`` seconds, at most ``most``.

    The spread matters as much as the growth: after a restart of the server all its clients begin at once.

    Args:
        first: seconds, the longest first wait.
        most: seconds, the longest of all waits.
    """

    def __init__(self, first: float = 1.0, most: float = 30.0) -> None:
        self._first = first
        self._most = most
        self._ceiling = first

    def next(self) -> float:
        delay = random.uniform(0, self._ceiling)
        self._ceiling = min(self._most, self._ceiling * 2)
        return delay

    def lasted(self, seconds: float) -> None:
        """What was tried has worked for so long. Begin anew, if that is longer than the wait for it was, at most: where
        it ends as soon as it has begun, going on as before would be a loop."""
        if seconds >= self._ceiling:
            self.reset()

    def reset(self) -> None:
        self._ceiling = min(self._first, self._most)
