"""The store's contract on one screen, and the way to open one.

Rows are the truth: every write puts the task row and its change row into one transaction, so a
change is visible exactly when its task is, and never lost after it was acknowledged. Each method
is whole: cancelled or failed, it has either done everything or nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple, Protocol

from shared.models import Change, ChangePage, Operation, StoredTask, TaskPage, TaskQuery, User, Write, Written
from shared.settings import Settings


class Position(NamedTuple):
    """How far a reader of the log has come."""

    changes: int
    revocations: int


class Revocation(NamedTuple):
    """The end of a token family, or with ``sid`` ``None`` of all tokens of a user."""

    user_id: int
    sid: str | None


class Tail(NamedTuple):
    """What has come after a position, all users', in order; ``more`` when there may be more at once."""

    changes: list[Change]
    revocations: list[Revocation]
    position: Position
    more: bool


class Standing(NamedTuple):
    """What a token's bearer is now. ``revoked``: the token family, or all tokens issued up to then."""

    user: User
    revoked: bool
    seq: int


CommitListener = Callable[[list[Change], bool], None]
"""Called on the event loop after a commit of this process, before its callers are answered:
the changes in order, and whether anything else was written too."""


class Store(Protocol):
    """All methods raise ``Unavailable`` when the database cannot be used now."""

    epoch: str

    def listen(self, listener: CommitListener) -> None: ...
    async def ping(self) -> None: ...

    # Tasks. UserGone: the account does not exist any more.
    def write(
        self, user_id: int, operation: Write, *, now: int, max_tasks: int, origin: int | None = None
    ) -> Awaitable[Written]:
        """Raises NotFound, Conflict, LimitReached, ValidationFailed (a foreign uuid), UserGone."""
        ...

    def write_all(
        self, user_id: int, operations: Sequence[Operation], *, now: int, max_tasks: int
    ) -> Awaitable[list[Written]]:
        """Do all or nothing. Raises as ``write``, with ``op`` among the error's extras: the index."""
        ...

    def task(self, user_id: int, uuid: str) -> Awaitable[StoredTask]: ...  # NotFound
    async def tasks(self, user_id: int, query: TaskQuery) -> TaskPage: ...  # UserGone

    # The change log
    async def seq(self, user_id: int) -> int: ...  # UserGone
    async def changes(self, user_id: int, epoch: str, since: int, limit: int) -> ChangePage: ...  # UserGone
    async def position(self) -> Position: ...
    async def tail(self, after: Position) -> Tail: ...

    # Accounts
    async def add_user(
        self, username: str, key: str, password: str, now: int
    ) -> User: ...  # ValidationFailed
    async def user_by_key(self, key: str) -> User | None: ...
    async def standing(self, user_id: int, sid: str | None, issued: int) -> Standing | None: ...
    async def set_password(self, user_id: int, password: str, now: int) -> None: ...  # ends all its tokens
    async def delete_user(self, user_id: int, now: int) -> None: ...  # and all that is theirs

    # Token families. Expiry in Unix seconds, ``grace`` in seconds.
    async def add_session(self, sid: str, user: User, expires: int, now: int) -> None:
        """Raises UserGone, also when the account is no longer as ``user`` has it: its password changed, say."""
        ...

    async def rotate_session(self, sid: str, jti: str, expires: int, now: int, grace: int) -> bool:
        """Exchange the refresh token ``jti``. False: the family is revoked; it is, too, when this token
        was exchanged before and its grace is over."""
        ...

    async def revoke_session(self, sid: str, now: int) -> None: ...


@asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[Store]:
    """Open the database that ``settings.database_url`` names, migrated; closed again on exit.

    Should the store's own background work die, the body is cancelled and its error raised.

    Raises:
        Unavailable: the database cannot be opened.
    """
    from shared.store.sqlite import open_sqlite

    async with open_sqlite(settings.sqlite_path) as store:
        yield store
