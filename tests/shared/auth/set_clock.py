"""A clock and an uptime that a test sets."""

from __future__ import annotations

NOW = 1_795_362_300


class SetClock:
    """Reads ``seconds``; the machine was started 1000 seconds into them."""

    def __init__(self) -> None:
        self.seconds: float = NOW

    def __call__(self) -> int:
        return int(self.seconds * 1_000_000)

    def uptime(self) -> float:
        return self.seconds - 1000
