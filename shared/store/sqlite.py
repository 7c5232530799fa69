"""The store in one SQLite file: write-ahead log, one writer connection, readers on their own."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Any, Final, TypeVar

import aiosqlite

from shared.clock import Reading
from shared.errors import (
    Unavailable,
)
from shared.models import (
    Change,
    ChangePage,
    Operation,
    StoredTask,
    TaskPage,
    TaskQuery,
    User,
    Write,
    Written,
)
from shared.search_terms import has_all
from shared.store import (
    CommitListener,
    LoginRecord,
    Position,
    Standing,
    Tail,
    accounts_sql,
    change_log,
    sessions_sql,
    tasks_sql,
)
from shared.store.checkpoints import BUSY_TIMEOUT_MS, Checkpoints
from shared.store.group_commit import GroupCommit, WriteLock
from shared.store.lanes import HereLane, Lane, Outcome, on_thread, read_group
from shared.store.migrate import migrate
from shared.store.pages import Pages
from shared.store.unit_of_work import BatchRequest, WriteRequest, Writes
from shared.tokens import Token

T = TypeVar("T")

_MINIMUM_VERSION: Final = (3, 37, 0)  # STRICT tables, RETURNING

log = logging.getLogger(__name__)


def has_wal_reset_race(version: tuple[int, int, int]) -> bool:
    """SQLite 3.7.0 to 3.51.2, less the releases that the fix was carried back to (sqlite.org/wal.html)."""
    if version[:2] == (3, 50):
        return version < (3, 50, 7)
    if version[:2] == (3, 44):
        return version < (3, 44, 6)
    return (3, 7, 0) <= version < (3, 51, 3)


@asynccontextmanager
async def open_sqlite(path: Path) -> AsyncIterator[SqliteStore]:
    """Open or make the file, bring its schema up to date, and serve it until the body ends.

    Raises:
        Unavailable: the file cannot be opened, is no database of ours, or is of a newer version.
    """
    if sqlite3.sqlite_version_info < _MINIMUM_VERSION:
        raise Unavailable(f"SQLite {sqlite3.sqlite_version} is too old, 3.37 or newer is needed")
    if has_wal_reset_race(sqlite3.sqlite_version_info):
        log.warning(
            "SQLite %s has the WAL-reset race (fixed in 3.51.3): Taskbeam's write lock keeps it away, "
            "but do not let other programs write to the database while it runs",
            sqlite3.sqlite_version,
        )
    try:
        _make_private_file(path)
        lock = WriteLock(path.with_name(path.name + "-lock"))
    except OSError as error:
        raise Unavailable(f"cannot open {path}: {error.strerror}") from error
    async with AsyncExitStack() as stack:
        stack.callback(lock.close)
        writer = await _connect(stack, path, lambda connection: _prepare_writer(connection, lock))
        points, scans = [await _connect(stack, path, _prepare_reader) for _ in range(2)]
        here = stack.enter_context(closing(HereLane(_connect_here(path))))
        checkpoints = Checkpoints(path.with_name(path.name + "-wal"))
        stack.callback(checkpoints.close)
        store = SqliteStore(writer, points, scans, here, GroupCommit(lock, checkpoints))
        async with asyncio.TaskGroup() as tasks:
            for lane in store.lanes:
                tasks.create_task(lane.serve())
            try:
                store.epoch = await store.read_epoch()
                yield store
            finally:
                for lane in store.lanes:
                    lane.close()


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


def _connect_here(path: Path) -> sqlite3.Connection:
    """A reader for the event loop's own thread, which never waits for a lock."""
    connection = sqlite3.connect(path, isolation_level=None, cached_statements=256)
    _prepare_reader(connection)
    connection.execute("PRAGMA busy_timeout = 0")
    return connection


def _make_private_file(path: Path) -> None:
    """Folders 0700 and the file 0600; SQLite gives its side files the mode of the file."""
    for folder in reversed(path.absolute().parents):
        if not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _prepare_writer(connection: sqlite3.Connection, lock: WriteLock) -> None:
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    with lock.held(timeout=30):  # another process may be in a long migration
        connection.execute("PRAGMA journal_mode = WAL")
        _set_pragmas(connection)
        migrate(connection)


def _prepare_reader(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    _set_pragmas(connection)
    connection.execute("PRAGMA query_only = ON")
    connection.create_function("has_all", 3, has_all, deterministic=True)


def _set_pragmas(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA synchronous = FULL")  # an acknowledged write survives a power loss
    connection.execute("PRAGMA wal_autocheckpoint = 0")  # see WriteLock
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA cache_size = -16000")


class SqliteStore:
    """See ``shared.store.Store``."""

    epoch: str

    def __init__(
        self,
        writer: aiosqlite.Connection,
        points: aiosqlite.Connection,
        scans: aiosqlite.Connection,
        here: HereLane,
        group_commit: GroupCommit,
    ) -> None:
        self._writer = Lane(
            writer,
            group_commit.run,
            group_commit.begin_here,
            self._committed,
            group_commit.checkpoint_when_quiet,
            reunite=True,
        )
        self._points = Lane(points, read_group)  # single rows: never behind a long list
        self._scans = Lane(scans, read_group)
        self._here = here
        self._pages = Pages()
        self.lanes = (self._writer, self._points, self._scans)
        self._listeners: list[CommitListener] = []

    def listen(self, listener: CommitListener) -> None:
        self._listeners.append(listener)

    def _committed(self, outcomes: list[Outcome]) -> None:
        changes: list[Change] = []
        others = False
        for outcome in outcomes:
            if isinstance(outcome, Written):
                if outcome.change is not None:
                    changes.append(outcome.change)
            elif isinstance(outcome, Writes):
                changes += [written.change for written in outcome if written.change is not None]
            elif not isinstance(outcome, BaseException):
                others = True
        if changes or others:
            for listener in self._listeners:
                listener(changes, others)

    async def read_epoch(self) -> str:
        rows = await self._points.run(_rows("SELECT value FROM meta WHERE key = 'epoch'"))
        epoch: str = rows[0][0]
        return epoch

    async def ping(self) -> None:
        await self._points.run(_rows("SELECT 1"))

    def write(
        self, user_id: int, operation: Write, *, now: int, max_tasks: int, origin: int | None = None
    ) -> Awaitable[Written]:
        return self._writer.run(WriteRequest(user_id, now, max_tasks, origin, operation))

    def write_all(
        self, user_id: int, operations: Sequence[Operation], *, now: int, max_tasks: int
    ) -> Awaitable[list[Written]]:
        return self._writer.run(BatchRequest(user_id, now, max_tasks, operations))

    def task(self, user_id: int, uuid: str) -> Awaitable[StoredTask]:
        return self._read_row(lambda connection: tasks_sql.read_task(connection, user_id, uuid))

    async def _read_row(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """On the event loop, or, when the database is not free at this moment, on a thread that can wait for it."""
        try:
            return await self._here.run(read)
        except Unavailable:
            return await self._points.run(read)

    async def tasks(self, user_id: int, query: TaskQuery) -> TaskPage:
        page = await self._read_row(
            lambda connection: tasks_sql.find_few_tasks(connection, self._pages, user_id, query)
        )
        if page is None:
            page = await self._scans.run(lambda connection: tasks_sql.find_tasks(connection, user_id, query))
        return page

    async def seq(self, user_id: int) -> int:
        return await self._read_row(lambda connection: tasks_sql.read_feed(connection, user_id).seq)

    async def changes(self, user_id: int, epoch: str, since: int, limit: int) -> ChangePage:
        return await self._scans.run(
            lambda connection: change_log.read_changes(connection, user_id, epoch == self.epoch, since, limit)
        )

    async def position(self) -> Position:
        return await self._points.run(change_log.read_position)

    async def tail(self, after: Position) -> Tail:
        return await self._points.run(lambda connection: change_log.read_tail(connection, after))

    async def add_user(self, username: str, key: str, password: str, now: int) -> User:
        return await self._writer.run(
            lambda unit: accounts_sql.add_user(unit.connection, username, key, password, now)
        )

    async def user_by_key(self, key: str) -> User | None:
        return await self._read_row(lambda connection: accounts_sql.user_by_key(connection, key))

    async def login_record(self, key: str, address: str) -> LoginRecord:
        return await self._read_row(
            lambda connection: accounts_sql.read_login_record(connection, key, address)
        )

    async def standing(self, token: Token) -> Standing | None:
        return await self._read_row(lambda connection: sessions_sql.read_standing(connection, token))

    async def set_password(self, user: User, password: str, at: Reading) -> bool:
        return await self._writer.run(
            lambda unit: accounts_sql.set_password(unit.connection, user, password, at)
        )

    async def renew_hash(self, user: User, password: str) -> None:
        await self._writer.run(lambda unit: accounts_sql.renew_hash(unit.connection, user, password))

    async def delete_user(self, user: User, at: Reading) -> bool:
        return await self._writer.run(lambda unit: accounts_sql.delete_user(unit.connection, user, at))

    async def add_session(
        self, sid: str, user: User, expires: int, address: str, at: Reading, patience: int
    ) -> None:
        await self._writer.run(
            lambda unit: sessions_sql.add_session(unit.connection, sid, user, expires, address, at, patience)
        )

    async def extend_session(self, sid: str, expires: int) -> bool:
        return await self._writer.run(lambda unit: sessions_sql.extend_session(unit.connection, sid, expires))

    async def exchange_token(
        self, token: Token, new_sid: str, expires: int, at: Reading, grace: int, patience: int
    ) -> str | None:
        return await self._writer.run(
            lambda unit: sessions_sql.exchange_token(
                unit.connection, token, new_sid, expires, at, grace, patience
            )
        )

    async def end_family(self, token: Token, new_sid: str, at: Reading) -> None:
        await self._writer.run(lambda unit: sessions_sql.end_family(unit.connection, token, new_sid, at))


def _rows(sql: str, *parameters: object) -> Callable[[sqlite3.Connection], list[Any]]:
    return lambda connection: connection.execute(sql, parameters).fetchall()
