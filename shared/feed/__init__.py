"""The protocol of a change feed, which hands the changes of all processes to the listeners in this one.

A listener gets each user's changes by seq, without a gap, each once. The order between users is not defined. How a feed
learns of changes is up to the engine: ``tail`` reads the log of an SQLite file.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from shared.models import Change, Revocation


class FeedListener(Protocol):
    """Gets all revocations, and all changes while some listener wants them. Must not block or raise."""

    def wants_changes(self) -> bool:
        """Whether it wants changes now. Before it starts to, it calls ``ChangeFeed.resume``."""
        ...

    def on_changes(self, changes: list[Change]) -> None: ...
    def on_revocations(self, revocations: list[Revocation]) -> None: ...


class Lag(NamedTuple):
    """How far a feed is behind the database: in changes, and for how many seconds; both 0 where it is not."""

    changes: int
    seconds: float


class ChangeFeed(Protocol):
    """Paused while no listener wants changes, so that the changes of other processes are not read for nothing."""

    def subscribe(self, listener: FeedListener) -> None: ...

    def look(self) -> None:
        """Read changes now, without waiting for the next wake-up."""
        ...

    async def resume(self) -> None:
        """Wait until the feed delivers changes; returns at once unless the feed is paused.

        A listener first starts to want changes, then waits for this, and only then reads the state that the changes
        continue. It gets all changes after that state, and may get some that the state includes.

        Raises:
            Unavailable: the database cannot be read now.
        """
        ...

    async def lag(self) -> Lag:
        """As of now; none while the feed is paused. Raises Unavailable."""
        ...
