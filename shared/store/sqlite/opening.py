"""Opening the SQLite file: what is made, the connections and their pragmas, and the end."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import sqlite3
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import aiosqlite

from shared.errors import FilesChanged, Unavailable
from shared.rules.search_terms import has_all
from shared.store.sqlite.checkpoints import BUSY_TIMEOUT_MS, Checkpoints
from shared.store.sqlite.database_path import DatabasePath
from shared.store.sqlite.lanes import HereLane, on_thread
from shared.store.sqlite.migrate import migrate
from shared.store.sqlite.open_files import OpenFiles
from shared.store.sqlite.ownership import APPLICATION_ID, require_ours
from shared.store.sqlite.store import SqliteStore
from shared.store.sqlite.writer import GroupCommit, WriteLock

_MINIMUM_VERSION: Final = (3, 37, 0)  # STRICT tables, RETURNING

_left_open: Final[list[sqlite3.Connection]] = []
"""See ``OpenFiles.abandon``. The process ends without closing them."""

log = logging.getLogger(__name__)


def has_wal_reset_race(version: tuple[int, int, int]) -> bool:
    """SQLite 3.7.0 to 3.51.2, less the releases that the fix was carried back to (sqlite.org/wal.html)."""
    if version[:2] == (3, 50):
        return version < (3, 50, 7)
    if version[:2] == (3, 44):
        return version < (3, 44, 6)
    return (3, 7, 0) <= version < (3, 51, 3)


@asynccontextmanager
async def open_sqlite(given: Path) -> AsyncIterator[SqliteStore]:
    """Open or make the file, bring its schema up to date, and serve it until the body ends.

    Raises:
        Unavailable: the file cannot be opened, is no database of ours, or is of a newer version.
        FilesChanged: in an exception group, when the files were taken away. The process then has to end by ``os._exit``.
    """
    if sqlite3.sqlite_version_info < _MINIMUM_VERSION:
        raise Unavailable(f"SQLite {sqlite3.sqlite_version} is too old, 3.37 or newer is needed")
    path = DatabasePath(given)
    try:
        _make_private_file(path.real)
        require_ours(path)
        database = os.stat(path.real)
        lock = WriteLock(path.lock)
    except OSError as error:
        raise Unavailable(f"cannot open {given}: {error.strerror}") from error
    if database.st_nlink > 1:
        log.warning(
            "%s has %d names (hard links): opened by two of them, it is lost", path.real, database.st_nlink
        )
    if has_wal_reset_race(sqlite3.sqlite_version_info):
        log.warning(
            "SQLite %s has the WAL-reset race (fixed in 3.51.3): Taskbeam's write lock keeps it away, "
            "but do not let other programs write to the database while it runs",
            sqlite3.sqlite_version,
        )
    async with AsyncExitStack() as stack:
        stack.callback(lock.close)
        writer = await _connect(stack, path.real, lambda connection: _prepare_writer(connection, path, lock))
        points, scans = [await _connect(stack, path.real, _prepare_reader) for _ in range(2)]
        here = _connect_here(path.real)
        close_here = stack.enter_context(ExitStack())
        close_here.callback(here.close)
        files = OpenFiles(path, database, lock.fileno())
        stack.callback(files.close)
        checkpoints = Checkpoints(path.wal)
        stack.callback(checkpoints.close)
        here_lane = HereLane(here)
        stack.callback(here_lane.close)
        group_commit = GroupCommit(lock, checkpoints, files)
        await on_thread(writer, group_commit.start)
        try:
            async with asyncio.TaskGroup() as tasks:
                store = SqliteStore(path, writer, points, scans, here_lane, group_commit)
                for lane in store.lanes:
                    tasks.create_task(lane.serve())
                watch = tasks.create_task(store.watch(files))
                try:
                    store.epoch = await store.read_epoch()
                    yield store
                finally:
                    watch.cancel()
                    store.close()
            files.look()
        except* FilesChanged:
            await on_thread(writer, group_commit.abandon)
            # As long as one connection is open, SQLite does not touch the files when the others are closed.
            _left_open.append(here)
            close_here.pop_all()
            raise


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
    """Folders 0700 and the file 0600; SQLite gives its side files the mode of the file.

    One that is there is not opened: closing it again would take away this process's locks on it.
    """
    for folder in reversed(path.parents):
        if not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "not a regular file")
    if not os.access(path, os.R_OK | os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _prepare_writer(connection: sqlite3.Connection, path: DatabasePath, lock: WriteLock) -> None:
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    with lock.held(timeout=30):  # another process may be in a long migration
        if not path.real.stat().st_size and path.wal.exists() and path.wal.stat().st_size:
            # SQLite would delete it. Whoever took the database away may put it back.
            log.warning("the log of a database that is not there any more is %s now", path.set_log_aside())
        if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise Unavailable(f"cannot open {path.given}: its file system has no shared memory for SQLite")
        _set_pragmas(connection)
        migrate(connection)


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
