"""A database file that rows of the common form are copied into, see ``shared.store.rows``."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from shared.models import Change
from shared.store.copies import CopyFailed
from shared.store.rows import CHANGES, TABLES, TASKS, USERS, Header, Mark, Row, Table
from shared.store.sqlite.connections import roll_back
from shared.store.sqlite.database_path import DatabasePath
from shared.store.sqlite.feeds import read_feed
from shared.store.sqlite.inserts import insert
from shared.store.sqlite.log import write_log
from shared.store.sqlite.meta import COPY_MARK, read_copy_mark, write_signing_key
from shared.store.sqlite.migrate import migrate, schema_version
from shared.store.sqlite.ownership import APPLICATION_ID, require_ours
from shared.store.sqlite.rows import SqliteRows, sqlite_in_one_line
from shared.store.sqlite.task_places import place_tasks
from shared.store.sqlite.unused import unused

T = TypeVar("T")

_CACHE_KIBIBYTES: Final = 65_536
_CHECKPOINT_PAGES: Final = 16_384
_OWN_TABLES: Final = ("user_tasks", "client_uuids", "change_anchors")
"""Those that go with the tables of the common form; ``feeds`` goes with the users."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Mark).decode


class SqliteRowTarget(SqliteRows):
    """A ``shared.store.rows.RowTarget``."""

    async def mark(self) -> Mark | None:
        text = self._call(read_copy_mark)
        return None if text is None else _decode(text)

    async def begin(self, header: Header, mark: Mark) -> None:
        def work(connection: sqlite3.Connection) -> None:
            _delete_rows(connection)
            _write_header(connection, header)
            _write_mark(connection, mark)

        self._transact(work)

    async def write(self, table: Table, rows: Sequence[Row], mark: Mark) -> None:
        def work(connection: sqlite3.Connection) -> None:
            _append(connection, table, rows)
            _write_mark(connection, mark)

        self._transact(work)

    async def finish(self) -> None:
        self._call(lambda connection: connection.execute("PRAGMA synchronous = FULL"))
        self._transact(lambda connection: connection.execute("DELETE FROM meta WHERE key = ?", (COPY_MARK,)))

    def _transact(self, work: Callable[[sqlite3.Connection], object]) -> None:
        def whole(connection: sqlite3.Connection) -> None:
            connection.execute("BEGIN IMMEDIATE")
            try:
                work(connection)
                connection.execute("COMMIT")
            except BaseException:
                roll_back(connection)
                raise

        self._call(whole)


@asynccontextmanager
async def open_sqlite_row_target(given: Path) -> AsyncIterator[SqliteRowTarget]:
    """A database that is made where there is none; nobody can open it meanwhile.

    Raises CopyFailed: it is in use, is another program's, or has rows and no mark.
    """
    path, name = DatabasePath(given), str(given)
    with sqlite_in_one_line(name):
        path.make_private_file()
        require_ours(path)
        opened = unused(path)
    with (
        sqlite_in_one_line(name),
        opened,
        closing(sqlite3.connect(path.real, isolation_level=None)) as connection,
    ):
        if schema_version(connection):
            _require_empty_or_marked(connection, name)
        _prepare(connection)
        yield SqliteRowTarget(connection, name)


def _require_empty_or_marked(connection: sqlite3.Connection, name: str) -> None:
    used = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM sqlite_sequence WHERE seq > 0) OR EXISTS (SELECT 1 FROM users)"
    ).fetchone()[0]
    if used and read_copy_mark(connection) is None:
        raise CopyFailed(f"{name} is not empty: a copy goes into a new database")


def _prepare(connection: sqlite3.Connection) -> None:
    """Nobody else works on the file, so SQLite may checkpoint by itself, and wait for the disk then alone."""
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIBIBYTES}")
    migrate(connection)


def _delete_rows(connection: sqlite3.Connection) -> None:
    tables = [table.name for table in reversed(TABLES)]
    for name in (*_OWN_TABLES, "feeds", *tables):
        connection.execute(f"DELETE FROM {name}")


def _write_header(connection: sqlite3.Connection, header: Header) -> None:
    connection.execute("UPDATE meta SET value = ? WHERE key = 'epoch'", (header.epoch,))
    connection.execute("DELETE FROM meta WHERE key = 'signing_key'")
    if header.signing_key is not None:
        write_signing_key(connection, header.signing_key)
    connection.execute("DELETE FROM sqlite_sequence")
    newest = (("users", header.user_ids), ("revocations", header.revocations))
    insert(connection, "sqlite_sequence", ("name", "seq"), [each for each in newest if each[1]])


def _write_mark(connection: sqlite3.Connection, mark: Mark) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (COPY_MARK, _encode(mark).decode())
    )


def _append(connection: sqlite3.Connection, table: Table, rows: Sequence[Row]) -> None:
    if table is USERS:
        insert(connection, "users", table.columns[:-2], [row[:-2] for row in rows])
        insert(connection, "feeds", ("user_id", "seq", "tasks"), [(row[0], *row[-2:]) for row in rows])
    elif table is TASKS:
        _append_tasks(connection, rows)
    elif table is CHANGES:
        _append_changes(connection, rows)
    else:
        insert(connection, table.name, table.columns, rows)


def _append_tasks(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    places = place_tasks(connection, rows)
    placed = list(zip(rows, places, strict=True))
    insert(
        connection,
        "tasks",
        ("id", "uuid", "user_id", "json"),
        [(task_id, uuid, user_id, json) for (user_id, uuid, json), (task_id, _) in placed],
    )
    insert(
        connection,
        "client_uuids",
        ("uuid", "id"),
        [(uuid, task_id) for (_, uuid, _), (task_id, in_client_uuids) in placed if in_client_uuids],
    )
    insert(
        connection,
        "user_tasks",
        ("user_id", "id"),
        [(user_id, task_id) for (user_id, _, _), (task_id, _) in placed],
    )


def _append_changes(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    changes = [Change(*row) for row in rows]
    feeds = {user_id: read_feed(connection, user_id) for user_id in {change.user_id for change in changes}}
    _, last = write_log(connection, changes, feeds)
    connection.executemany(
        "UPDATE feeds SET last = ? WHERE user_id = ?", [(place, user_id) for user_id, place in last.items()]
    )
