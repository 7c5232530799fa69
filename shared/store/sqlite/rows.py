"""All rows of a database file in the form that all engines share, see ``shared.store.rows``."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Final, TypeVar

from shared.errors import Unavailable
from shared.store.copies import PART_OF_A_COPY, CopyFailed
from shared.store.rows import CHANGES, TABLES, TASKS, USERS, Header, Key, Row, Table
from shared.store.sqlite.database_path import DatabasePath
from shared.store.sqlite.log import read_log
from shared.store.sqlite.meta import read_copy_mark, read_epoch, read_signing_key
from shared.store.sqlite.migrate import newest_version, schema_version
from shared.store.sqlite.ownership import require_ours
from shared.store.sqlite.tasks import read_row
from shared.store.sqlite.unused import unused

T = TypeVar("T")

_CACHE_KIBIBYTES: Final = 65_536
# A user's tasks in their order: those that the index has, and those that it has not yet. An entry of a deleted task joins none.
_TASKS: Final = """
SELECT entry.id, tasks.user_id, tasks.uuid, tasks.json FROM user_tasks AS entry CROSS JOIN tasks USING (id)
WHERE entry.user_id = :user_id AND entry.id > :after AND tasks.user_id = :user_id
UNION ALL
SELECT value, tasks.user_id, tasks.uuid, tasks.json FROM json_each(:pending) CROSS JOIN tasks ON tasks.id = value
WHERE value > :after AND tasks.user_id = :user_id
ORDER BY 1 LIMIT :limit"""


class SqliteRows:
    """A ``shared.store.rows.RowSource``. It works on the calling thread, and never waits for another task."""

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        self.name = name
        self._connection = connection

    async def header(self) -> Header:
        return self._call(_read_header)

    async def counts(self) -> dict[str, int]:
        return self._call(
            lambda connection: {
                table.name: connection.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0]
                for table in TABLES
            }
        )

    async def read(self, table: Table, after: Key, limit: int) -> list[Row]:
        return self._call(lambda connection: _read(connection, table, after, limit))

    def _call(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with sqlite_in_one_line(self.name):
            return work(self._connection)


@contextmanager
def sqlite_in_one_line(name: str) -> Iterator[None]:
    """Whatever is wrong with this database is a CopyFailed that names it."""
    try:
        yield
    except sqlite3.Error as error:
        raise CopyFailed(f"{name}: {error}") from error
    except OSError as error:
        raise CopyFailed(f"{name}: {error.strerror or error}") from error
    except Unavailable as error:
        raise CopyFailed(f"{name}: {error.reason}") from error


@asynccontextmanager
async def open_sqlite_rows(given: Path) -> AsyncIterator[SqliteRows]:
    """The rows of a database that nobody can open meanwhile: what is written to it would not be in the copy.

    Raises CopyFailed: there is none, it is in use, or its schema is older.
    """
    path, name = DatabasePath(given), str(given)
    with sqlite_in_one_line(name):
        if not path.real.is_file() or not path.real.stat().st_size:
            raise CopyFailed(f"there is no database {given}")
        require_ours(path)
        opened = unused(path)
    with sqlite_in_one_line(name), opened, closing(_connect(path.real)) as connection:
        version, newest = schema_version(connection), newest_version()
        if version != newest:
            raise CopyFailed(
                f"{given} has schema version {version}, not {newest}: `taskbeam migrate` brings it up to date"
            )
        if read_copy_mark(connection) is not None:
            raise CopyFailed(f"{name}: {PART_OF_A_COPY}")
        yield SqliteRows(connection, name)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIBIBYTES}")
    connection.execute("PRAGMA query_only = ON")
    return connection


def _read_header(connection: sqlite3.Connection) -> Header:
    newest = dict(connection.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
    return Header(
        read_epoch(connection),
        read_signing_key(connection).fingerprint,
        newest.get("users", 0),
        newest.get("revocations", 0),
    )


def _read(connection: sqlite3.Connection, table: Table, after: Key, limit: int) -> list[Row]:
    if table is TASKS:
        return _read_tasks(connection, after, limit)
    if table is CHANGES:
        return _read_changes(connection, after, limit)
    origin = "users JOIN feeds ON user_id = id" if table is USERS else table.name
    keys, values = ", ".join(table.columns[: table.key]), ", ".join("?" * len(after))
    where = f"WHERE ({keys}) > ({values})" if after else ""
    rows = connection.execute(
        f"SELECT {', '.join(table.columns)} FROM {origin} {where} ORDER BY {keys} LIMIT ?", (*after, limit)
    ).fetchall()
    for flag in table.flags:
        place = table.columns.index(flag)
        rows = [(*row[:place], bool(row[place]), *row[place + 1 :]) for row in rows]
    return rows


def _read_tasks(connection: sqlite3.Connection, after: Key, limit: int) -> list[Row]:
    """User by user: the index of each has its own pending entries."""
    user_id, place = 0, 0
    if after:
        row = read_row(connection, str(after[1]))
        assert row is not None, "the source is as it was"
        user_id, place = int(after[0]), row[0]
    rows: list[Row] = []
    for user, pending, _, _ in _feeds(connection, user_id):
        values = {
            "user_id": user,
            "pending": pending,
            "after": place if user == user_id else 0,
            "limit": limit - len(rows),
        }
        rows += [row[1:] for row in connection.execute(_TASKS, values)]
        if len(rows) >= limit:
            break
    return rows


def _read_changes(connection: sqlite3.Connection, after: Key, limit: int) -> list[Row]:
    user_id, seq = map(int, after or (0, 0))
    rows: list[Row] = []
    for user, _, newest, newest_seq in _feeds(connection, user_id):
        since = seq if user == user_id else 0
        while since < newest_seq and len(rows) < limit:
            page = read_log(connection, user, newest, since, since + limit - len(rows))
            if not page:
                break
            rows += page
            since = page[-1][1]
        if len(rows) >= limit:
            break
    return rows


def _feeds(connection: sqlite3.Connection, user_id: int) -> sqlite3.Cursor:
    """The users from that one on: id, pending index entries, position and seq of the newest change."""
    return connection.execute(
        "SELECT user_id, pending, last, seq FROM users JOIN feeds ON user_id = users.id WHERE users.id >= ? "
        "ORDER BY users.id",
        (user_id,),
    )
