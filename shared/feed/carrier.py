"""The protocol of a carrier, which takes hints from one process to the others. Any hint may be lost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from shared.metrics.catalogue import HINTS_DROPPED
from shared.models import Change

DROPPED: Final = HINTS_DROPPED.child()
"""Hints that a carrier of this process could not send."""


class HintListener(Protocol):
    """What a carrier brings, on the event loop. Must not block or raise."""

    def on_change(self, change: Change) -> None: ...

    def on_seq(self, user_id: int, seq: int) -> None:
        """A change that was committed, without what it is."""
        ...

    def on_missed(self, user_ids: Iterable[int] | None) -> None:
        """Hints for these users may have been lost until now; ``None``: for anyone, and revocations, too."""
        ...

    def on_revocations(self) -> None: ...


class Carrier(Protocol):
    """The methods never block or raise; what cannot be sent soon is dropped."""

    def publish(self, changes: Sequence[Change]) -> None:
        """Tell the other processes of changes that were committed."""
        ...

    def publish_revocations(self) -> None: ...

    def follow(self, user_ids: Iterable[int]) -> None:
        """Bring hints for these users, too; ``on_missed`` says from when on."""
        ...

    def unfollow(self, user_ids: Iterable[int]) -> None: ...

    async def run(self, listener: HintListener) -> None:
        """Carry until cancelled; to be run as one supervised task."""
        ...
