"""What ``tail`` reads: a log that has all users' changes in one order, as an engine with a single writer has."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from shared.models import Change, Revocation


class Position(NamedTuple):
    """How far a reader of the log has come."""

    changes: int
    revocations: int


class Tail(NamedTuple):
    """What has come after a position, all users', in order; ``more`` when there may be more at once.

    ``positions`` are those of the changes.
    """

    changes: list[Change]
    positions: list[int]
    revocations: list[Revocation]
    position: Position
    more: bool


class LoggedCommit(Protocol):
    """See ``shared.store.Commit``. ``position`` is the one of the first change, and the others follow it."""

    changes: list[Change]
    position: int
    others: bool


class Log(Protocol):
    """Each method raises ``Unavailable`` when the log cannot be read now."""

    def listen(self, listener: Callable[[LoggedCommit], None]) -> None:
        """As ``shared.store.Store.listen``."""
        ...

    async def position(self) -> Position: ...
    async def tail(self, after: Position) -> Tail: ...
