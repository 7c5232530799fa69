"""All rows of a database in one form, whichever engine has them, for a copy from one engine to another.

What only serves an engine is not in it: positions in SQLite's log, its indexes, the costs of password hashes; nor is what a host
notes of its clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol

import msgspec

Row = tuple[Any, ...]
"""The values of a table's columns, in their order: int, float, str, bytes, bool or None."""
Key = tuple[int | str, ...]
"""The values of a table's key columns; an empty one comes before all rows."""


class Table(NamedTuple):
    """A kind of rows.

    Args:
        key: how many of the first columns tell a row. They order the rows, too, except where a user's tasks come in the
            order of their creation.
        flags: the columns that are true or false.
        moves_seq: whether each change of a row moves its user's ``seq``, in the row of ``users``.
    """

    name: str
    columns: tuple[str, ...]
    key: int
    flags: frozenset[str] = frozenset()
    moves_seq: bool = False

    def key_of(self, row: Row) -> Key:
        return row[: self.key]


USERS: Final = Table(
    "users",
    (
        *("id", "username", "username_key", "password", "is_active", "date_joined", "revoked_until"),
        *("seq", "tasks"),  # of the user's feed
    ),
    key=1,
    flags=frozenset({"is_active"}),
)
TASKS: Final = Table("tasks", ("user_id", "uuid", "json"), key=2, moves_seq=True)
CHANGES: Final = Table(
    "changes", ("user_id", "seq", "mode", "task_id", "task", "write_id"), key=2, moves_seq=True
)
SESSIONS: Final = Table(
    "sessions",
    ("sid", "user_id", "expires", "revoked", "exchanges", "exchanged_until"),
    key=1,
    flags=frozenset({"revoked"}),
)
ROTATED_TOKENS: Final = Table(
    "rotated_tokens", ("jti", "sid", "time", "uptime", "boot", "issued", "expires", "turn"), key=1
)
REVOCATIONS: Final = Table("revocations", ("position", "user_id", "sid", "time"), key=1)
LOGIN_ADDRESSES: Final = Table("login_addresses", ("user_id", "address", "turn"), key=2)

TABLES: Final = (USERS, TASKS, CHANGES, SESSIONS, ROTATED_TOKENS, REVOCATIONS, LOGIN_ADDRESSES)
"""In the order in which they are copied: what a row refers to comes before it."""


class Header(NamedTuple):
    """What a database says of itself.

    Args:
        signing_key: the fingerprint of the key that signed last.
        user_ids: the newest id that a user was given; it is given to no other.
        revocations: the newest position of a revocation.
    """

    epoch: str
    signing_key: str | None
    user_ids: int
    revocations: int


class Mark(msgspec.Struct, frozen=True):
    """What a database has in it until the copy into it has ended: what it is a copy of, and how far that has come.

    ``state`` is a digest of what the source was (``shared.store.copying``). The rows up to the one with the key ``after`` in
    ``table``, and those of the tables before it, are there: ``rows`` of all tables together.
    """

    epoch: str
    state: str
    table: str = TABLES[0].name
    after: Key = ()
    rows: int = 0


class RowSource(Protocol):
    """A database that nobody serves. All methods raise CopyFailed where it cannot be used."""

    name: str
    """For people: a path, or a URL without its password."""

    async def header(self) -> Header: ...

    async def counts(self) -> dict[str, int]:
        """The number of rows of each table."""
        ...

    async def read(self, table: Table, after: Key, limit: int) -> list[Row]:
        """About ``limit`` rows, those that follow a row; none only where it is the last."""
        ...


class RowTarget(RowSource, Protocol):
    """A database that a copy goes to; it is not served before ``finish``. What it has written survives its process."""

    async def mark(self) -> Mark | None:
        """``None``: no copy into it was begun, or one has ended."""
        ...

    async def begin(self, header: Header, mark: Mark) -> None:
        """Delete all rows, of which there must be none unless there is a mark, and take over header and mark."""
        ...

    async def write(self, table: Table, rows: Sequence[Row], mark: Mark) -> None:
        """Append rows, which follow those that are there, and with them the mark."""
        ...

    async def finish(self) -> None:
        """Take the mark away: the database may be served."""
        ...
