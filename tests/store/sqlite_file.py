"""A look at an SQLite store from beside it: its lanes, and the file with a connection of our own."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

from shared.store import Store
from shared.store.lanes import Lane
from shared.store.sqlite import SqliteStore

T = TypeVar("T")


def lanes_of(store: Store) -> tuple[Lane, Lane, Lane]:
    """Writer, points, scans."""
    return cast("SqliteStore", store).lanes


async def as_writer(store: Store, work: Callable[[sqlite3.Connection], T]) -> T:
    """Have the writer's connection do something, in a transaction as all of its work."""
    return await lanes_of(store)[0].run(work)


async def on_writer_connection(store: Store, work: Callable[[sqlite3.Connection], T]) -> T:
    """Beside the writer's transactions, for what must not stand in one."""
    connection = cast("Any", lanes_of(store)[0])._connection
    result: T = await connection._execute(work, connection._conn)
    return result


async def in_transaction(store: Store) -> list[bool]:
    """Of each of the connections."""
    states = []
    for lane in lanes_of(store):
        connection = cast("Any", lane)._connection
        states.append(await connection._execute(lambda plain: plain.in_transaction, connection._conn))
    return states


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
    """The file is whole, its counters agree with its rows, and no user's change log has a hole."""
    with looking_at(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        for user_id, seq, tasks in connection.execute("SELECT user_id, seq, tasks FROM feeds").fetchall():
            seqs = connection.execute(
                "SELECT count(*), coalesce(min(seq), 1), coalesce(max(seq), 0) FROM changes WHERE user_id = ?",
                (user_id,),
            ).fetchone()
            assert seqs == (seq, 1, seq), f"user {user_id} at seq {seq}"
            counted = connection.execute("SELECT count(*) FROM tasks WHERE user_id = ?", (user_id,))
            assert counted.fetchone() == (tasks,)
        differing = connection.execute(
            """SELECT count(*) FROM tasks LEFT JOIN changes ON changes.task_id = tasks.uuid
               AND json_extract(changes.task, '$.rev') = tasks.rev
               WHERE changes.task IS NULL OR json_extract(changes.task, '$.task') <> tasks.task"""
        )
        assert differing.fetchone() == (0,), "tasks without the change that made them so"
