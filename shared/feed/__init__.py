"""Who brings changes by, whoever wrote them: the protocol of a process's change feed.

A listener hears of each user's changes by seq, without a gap, each once; of whatever order there is between users it
hears nothing. How a feed learns of changes is its own affair: ``tail`` reads the log of an SQLite file.
"""

from __future__ import annotations

from typing import Protocol

from shared.models import Change, Revocation


class FeedListener(Protocol):
    """Hears all revocations, and all changes while some listener wants them; must not block or raise."""

    def wants_changes(self) -> bool:
        """Whether it has a use for changes at this moment. When it begins to, see ``ChangeFeed.resume``."""
        ...

    def on_changes(self, changes: list[Change]) -> None: ...
    def on_revocations(self, revocations: list[Revocation]) -> None: ...


class ChangeFeed(Protocol):
    """While no listener wants changes the feed is paused: what others write is not read for nobody."""

    def subscribe(self, listener: FeedListener) -> None: ...

    def look(self) -> None:
        """Look for changes now, and not only when the next wake-up comes."""
        ...

    async def resume(self) -> None:
        """Wait until changes are brought by; at once, unless the feed is paused.

        A listener that begins to want changes first does so, then waits for this, and only then reads the state that
        the changes are to continue. It hears all that comes after that state, and may hear some that are in it.

        Raises:
            Unavailable: the database cannot be read now.
        """
        ...
