"""The protocol of a change feed, which hands the changes of all processes to the listeners in this one.

A listener gets each user's changes by seq, without a gap, each once. The order between users is not defined. How a feed
learns of changes is up to the engine: ``tail`` reads the log of an SQLite file, ``fan_out`` follows each user by seq.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, Protocol

from shared.models import Change, Revocation


class FeedListener(Protocol):
    """Gets all revocations, and at least the changes of its users. Must not block or raise."""

    def users(self) -> Collection[int]:
        """Whose changes it wants now. For each new user it calls ``ChangeFeed.resume``."""
        ...

    def on_changes(self, changes: list[Change]) -> None: ...
    def on_revocations(self, revocations: list[Revocation]) -> None: ...


class Lag(NamedTuple):
    """How far a feed is behind the database: in changes, and for how many seconds; both 0 where it is not."""

    changes: int
    seconds: float


class ChangeFeed(Protocol):
    """Reads the changes of other processes only while some listener has users."""

    def subscribe(self, listener: FeedListener) -> None: ...

    def look(self, user_id: int | None = None) -> None:
        """Read changes now, without waiting for the next wake-up; at least that user's."""
        ...

    async def resume(self, user_id: int) -> None:
        """Wait until the feed delivers the user's changes; returns at once where it does.

        A listener first has the user among its ``users``, then waits for this, and only then reads the state that the
        changes continue. It gets all changes after that state, and may get some that the state includes.

        Raises:
            Unavailable: the database cannot be read now.
        """
        ...

    async def lag(self) -> Lag:
        """As of now; none while no listener has users. Raises Unavailable."""
        ...
