"""What processes on several machines count together, beside what is stored. All of it may be lost at any moment.

All methods raise ``Unavailable`` when the database cannot be used now.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple, Protocol

LEASE_SECONDS: Final = 5.0
"""A process that has published nothing for so long is gone."""


class Counted(NamedTuple):
    """How often something was attempted in its window, which ends in so many seconds.

    ``window`` says which one it is, to take an attempt back.
    """

    attempts: int
    seconds_left: float
    window: object


class AttemptCounts(Protocol):
    """Counts within windows of time, each of which begins with its first attempt."""

    async def count(self, keys: Collection[bytes], window_seconds: float) -> dict[bytes, Counted]:
        """Count one attempt for each key; what is over is forgotten. The results include the attempt."""
        ...

    async def read(self, keys: Collection[bytes], window_seconds: float) -> dict[bytes, Counted]:
        """Count nothing. Keys without attempts are left out."""
        ...

    async def take_back(self, attempts: Mapping[tuple[bytes, object], int]) -> None:
        """Count so many attempts less, by key and window; nothing where the window is over."""
        ...


class Elsewhere(NamedTuple):
    """How many connections of a user other processes have, and how many of these became more before ours did."""

    connections: int
    earlier: int


class ConnectionCounts(Protocol):
    """How many connections each user has at each process of a kind."""

    async def publish(self, process: int, kind: str, connections: Mapping[int, int]) -> bool:
        """The process is there, and its users have so many connections now; of the others, as many as before.

        Returns:
            Whether it was not known, or not any more: then the connections of all its users are to be published.
        """
        ...

    async def full(self, process: int, kind: str, users: Collection[int], most: int) -> dict[int, Elsewhere]:
        """Those of the users who have at least so many connections at all processes of the kind together."""
        ...

    async def leave(self, process: int) -> None:
        """The process ends, and has no connections any more."""
        ...

    async def forget_gone(self) -> None:
        """Forget a process that is gone."""
        ...


class SharedCounts(NamedTuple):
    """What there is of them."""

    attempts: AttemptCounts
    connections: ConnectionCounts
