"""Connections to the SQLite file: their pragmas, and the way to their threads."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import aiosqlite

from shared.errors import Unavailable
from shared.rules.search_terms import has_all
from shared.store.copies import PART_OF_A_COPY
from shared.store.sqlite.checkpoints import BUSY_TIMEOUT_MS
from shared.store.sqlite.database_path import DatabasePath
from shared.store.sqlite.meta import read_copy_mark
from shared.store.sqlite.ownership import APPLICATION_ID
from shared.store.sqlite.schema_lock import SchemaLock
from shared.store.sqlite.write_lock import START_TIMEOUT, WriteLock

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)


async def connect_writer(
    stack: AsyncExitStack, path: DatabasePath, database: os.stat_result, lock: WriteLock, schema: SchemaLock
) -> aiosqlite.Connection:
    """The connection that writes, with a thread of its own, closed with the stack; the schema is up to date then.

    Args:
        database: the database file's state from before.

    Raises:
        Unavailable: the database cannot be used.
    """
    return await _connect(
        stack, path.real, lambda connection: _prepare_writer(connection, path, database, lock, schema)
    )


async def connect_reader(stack: AsyncExitStack, path: Path) -> aiosqlite.Connection:
    """A connection that only reads, with a thread of its own, closed with the stack. Raises Unavailable."""
    return await _connect(stack, path, _prepare_reader)


def connect_inline(path: Path) -> sqlite3.Connection:
    """A reader for the event loop's own thread, which never waits for a lock."""
    connection = sqlite3.connect(path, isolation_level=None, cached_statements=256)
    _prepare_reader(connection)
    connection.execute("PRAGMA busy_timeout = 0")
    return connection


def plain(connection: aiosqlite.Connection) -> sqlite3.Connection:
    """The connection itself, as its own thread has it.

    aiosqlite has no public way to it; pyproject.toml holds its minor version for this line.
    """
    return connection._conn


async def on_thread(
    connection: aiosqlite.Connection,
    function: Callable[Concatenate[sqlite3.Connection, P], T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Call a function with the plain connection first, whole, on the connection's own thread.

    That is asked for at once, before anything is awaited. As above, there is no public way.
    """
    result: T = await connection._execute(function, plain(connection), *args, **kwargs)  # type: ignore[no-untyped-call]
    return result


def roll_back(connection: sqlite3.Connection) -> None:
    """Undo the open transaction, if there is one."""
    if connection.in_transaction:  # some errors, a full disk for one, have rolled back already
        connection.execute("ROLLBACK")


async def _connect(
    stack: AsyncExitStack, path: Path, prepare: Callable[[sqlite3.Connection], None]
) -> aiosqlite.Connection:
    try:
        connection = await stack.enter_async_context(
            aiosqlite.connect(path, isolation_level=None, cached_statements=256, check_same_thread=False)
        )
        await on_thread(connection, prepare)
    except sqlite3.Error as error:
        raise Unavailable(f"cannot open {path}: {error}") from error
    return connection


def _prepare_writer(
    connection: sqlite3.Connection,
    path: DatabasePath,
    database: os.stat_result,
    lock: WriteLock,
    schema: SchemaLock,
) -> None:
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    with lock.held(START_TIMEOUT):
        # SQLite has opened the file, and reads it and its log only now.
        if not os.path.samestat(path.real.stat(), database):
            raise Unavailable(f"{path.real} was replaced while it was opened")
        if not path.real.stat().st_size and path.wal.exists() and path.wal.stat().st_size:
            # SQLite would delete it. Whoever took the database away may put it back.
            log.warning("the log of a database that is not there any more is %s now", path.set_log_aside())
        if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise Unavailable(f"cannot open {path.given}: its file system has no shared memory for SQLite")
        _set_pragmas(connection)
    schema.bring_up_to_date(connection, lock)
    if read_copy_mark(connection) is not None:
        raise Unavailable(f"cannot open {path.given}: {PART_OF_A_COPY}")


def _prepare_reader(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    _set_pragmas(connection)
    connection.execute("PRAGMA query_only = ON")
    connection.execute("SELECT count(*) FROM meta").fetchone()  # only the first read opens the log
    connection.create_function("has_all", 3, has_all, deterministic=True)


def _set_pragmas(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA synchronous = FULL")  # an acknowledged write survives a power loss
    connection.execute("PRAGMA wal_autocheckpoint = 0")  # see WriteLock
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA cache_size = -16000")
