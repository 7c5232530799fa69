"""The log that ``tail`` reads: all users' changes in one order, which an engine with a single writer has."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from shared.models import Change, Revocation


class Position(NamedTuple):
    """How far a reader has read the log."""

    changes: int
    revocations: int


class Tail(NamedTuple):
    """All users' changes and revocations after a position, in order. ``more``: there may be more to read.

    ``positions``: the positions of the changes.
    """

    changes: list[Change]
    positions: list[int]
    revocations: list[Revocation]
    position: Position
    more: bool


class LoggedCommit(Protocol):
    """See ``shared.store.Commit``. ``position``: that of the first change; the others follow it. 0: they do not."""

    changes: list[Change]
    position: int
    others: bool


class Log(Protocol):
    """Each method raises ``Unavailable`` when the log cannot be read now."""

    def listen(self, listener: Callable[[LoggedCommit], None]) -> None:
        """Like ``shared.store.Store.listen``."""
        ...

    async def position(self) -> Position: ...
    async def tail(self, after: Position) -> Tail: ...
