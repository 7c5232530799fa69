"""What ``fan_out`` needs of a store: each user's changes by seq. There is no order between users."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from shared.models import Change, ChangePage, Revocation


class SourceCommit(Protocol):
    """See ``shared.store.Commit``."""

    changes: list[Change]
    others: bool


class Source(Protocol):
    """Each method raises ``Unavailable`` when the database cannot be read now."""

    epoch: str

    def listen(self, listener: Callable[[SourceCommit], None]) -> None:
        """Like ``shared.store.Store.listen``."""
        ...

    async def read_epoch(self) -> str: ...  # as shared.store.Store.read_epoch
    async def seqs(self, user_ids: Collection[int]) -> dict[int, int]: ...  # as shared.store.Store.seqs
    async def changes(self, user_id: int, epoch: str, since: int, limit: int) -> ChangePage: ...  # UserGone

    async def revocations(self, after: int | None) -> tuple[list[Revocation], int]:
        """A page of those committed after a position, oldest first, and the position of the last.

        With ``None``: none, and the newest position.

        One that commits late must not stand before one that was read: the numbers come from a row that is locked.
        """
        ...
