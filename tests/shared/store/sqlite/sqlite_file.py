"""A look at an SQLite store from beside it: its connections, and the file with one of our own."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from unittest.mock import patch

import aiosqlite

from shared.models import User
from shared.store import Store
from shared.store.batching import Batcher
from shared.store.sqlite import accounts as accounts_sql
from shared.store.sqlite.connections import on_thread
from shared.store.sqlite.group_commit import GroupCommit
from shared.store.sqlite.readers import InlineReader, ThreadReader
from shared.store.sqlite.store import SqliteStore
from shared.store.sqlite.transaction import Work
from tests.support.change_links import assert_change_links
from tests.support.task_index import assert_task_index
from tests.support.waiting import until

T = TypeVar("T")


def as_sqlite(store: Store) -> SqliteStore:
    """With all that it has beside the contract."""
    assert isinstance(store, SqliteStore)
    return store


def writes_of(store: Store) -> Batcher[Work]:
    """What the store's writer is asked for."""
    return as_sqlite(store)._writes


def readers_of(store: Store) -> tuple[ThreadReader, ThreadReader]:
    """Of rows, of lists."""
    return as_sqlite(store)._row_reader, as_sqlite(store)._list_reader


def inline_reader_of(store: Store) -> InlineReader:
    return as_sqlite(store)._inline_reader


def group_commit_of(store: Store) -> GroupCommit:
    return as_sqlite(store)._writer._group_commit


def thread_connections(store: Store) -> list[aiosqlite.Connection]:
    """The writer's and the readers'."""
    return [
        as_sqlite(store)._writer._connection,
        *(reader._connection for reader in readers_of(store)),
    ]


def inline_connection(store: Store) -> sqlite3.Connection:
    """The one that the event loop's own thread reads with."""
    return inline_reader_of(store)._connection


async def as_writer(store: Store, work: Callable[[sqlite3.Connection], T]) -> T:
    """Have the writer's connection do something, in a transaction as all of its work."""
    result: T = await writes_of(store).submit(work)
    return result


async def on_writer_connection(store: Store, work: Callable[[sqlite3.Connection], T]) -> T:
    """Beside the writer's transactions, for what must not stand in one."""
    return await on_thread(thread_connections(store)[0], work)


async def in_transaction(store: Store) -> list[bool]:
    """Of each of the connections."""
    states = [inline_connection(store).in_transaction]
    for connection in thread_connections(store):
        states.append(await on_thread(connection, lambda plain: plain.in_transaction))
    return states


class Statements:
    """All that a connection executes."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def watch_writer(self, store: Store) -> None:
        await on_writer_connection(store, lambda plain: plain.set_trace_callback(self.seen.append))

    async def watch_list_reader(self, store: Store) -> None:
        _, list_reader = readers_of(store)
        await list_reader.submit(lambda plain: plain.set_trace_callback(self.seen.append))

    def count(self, statement: str) -> int:
        return self.seen.count(statement)


async def quiet_moments(store: Store, count: int) -> None:
    """Wait until the writer has had nothing to do so many times, and has looked after the log and the files."""
    group_commit, had = group_commit_of(store), 0
    when_quiet = group_commit.when_quiet

    def counted(connection: sqlite3.Connection) -> None:
        nonlocal had
        when_quiet(connection)
        had += 1

    with patch.object(group_commit, "when_quiet", counted):
        await until(lambda: had >= count, 10, f"{count} quiet moments")


@contextmanager
def looking_at(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection of our own that only reads."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA query_only = ON")
        yield connection
    finally:
        connection.close()


def assert_sound(path: Path) -> None:
    """The file is whole, its counters agree with its rows, and no user's change log has a hole or was pruned."""
    with looking_at(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        for user_id, seq in connection.execute("SELECT user_id, seq FROM feeds").fetchall():
            seqs = connection.execute(
                "SELECT count(*), coalesce(min(seq), 1), coalesce(max(seq), 0) FROM changes WHERE user_id = ?",
                (user_id,),
            ).fetchone()
            assert seqs == (seq, 1, seq), f"user {user_id} at seq {seq}"
        assert_change_links(connection)
        assert_task_index(connection)
        differing = connection.execute(
            """SELECT count(*) FROM tasks LEFT JOIN
               (SELECT user_id, task_id, max(seq), task FROM changes GROUP BY user_id, task_id) AS newest
               ON newest.task_id = uuid AND newest.user_id = tasks.user_id
               WHERE newest.task IS NOT json"""
        )
        assert differing.fetchone() == (0,), "tasks without the change that made them so"


def user_of(connection: sqlite3.Connection, user_id: int) -> User:
    """As the table has it; one that is not there, as nobody has it."""
    rows = connection.execute(
        "SELECT id, username, password, is_active, date_joined FROM users WHERE id = ?", (user_id,)
    ).fetchall()
    return accounts_sql.to_user(rows[0]) if rows else User(user_id, "gone", "", False, "")
