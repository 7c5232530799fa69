"""Opening the SQLite file: what is made, who works on it, and the end."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from shared.errors import FatalError, Unavailable
from shared.store.sqlite.checkpoints import Checkpoints
from shared.store.sqlite.connections import connect_inline, connect_reader, connect_writer, on_thread
from shared.store.sqlite.database_path import DatabasePath
from shared.store.sqlite.group_commit import GroupCommit
from shared.store.sqlite.open_files import OpenFiles
from shared.store.sqlite.ownership import require_ours
from shared.store.sqlite.readers import InlineReader, ThreadReader
from shared.store.sqlite.schema_lock import SchemaLock
from shared.store.sqlite.store import SqliteStore
from shared.store.sqlite.write_lock import WriteLock
from shared.store.sqlite.writer import Writer

_MINIMUM_VERSION: Final = (3, 37, 0)  # STRICT tables, RETURNING
_CLOSE_TIMEOUT: Final = 0.1

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
        Unavailable: the file cannot be opened, is no database of ours, or is of a newer version; or, in an exception
            group, another version of this program brings it up to date.
        FatalError: in an exception group, when the files were taken away. The process then has to end by ``os._exit``.
    """
    if sqlite3.sqlite_version_info < _MINIMUM_VERSION:
        raise Unavailable(f"SQLite {sqlite3.sqlite_version} is too old, 3.37 or newer is needed")
    path = DatabasePath(given)
    try:
        path.make_private_file()
        require_ours(path)
        database = os.stat(path.real)
        lock = WriteLock(path.lock)
        schema = SchemaLock(path)
    except OSError as error:
        raise Unavailable(f"cannot open {given}: {error.strerror}") from error
    _warn(path.real, database.st_nlink)
    async with AsyncExitStack() as stack:
        stack.callback(lock.close)
        stack.callback(schema.close)
        writing = await connect_writer(stack, path, database, lock, schema)
        stack.callback(_hold_for_last_close, lock)
        row_reader, list_reader = [ThreadReader(await connect_reader(stack, path.real)) for _ in range(2)]
        inline = connect_inline(path.real)
        close_inline = stack.enter_context(ExitStack())
        close_inline.callback(inline.close)
        files = OpenFiles(path, database, lock.fileno())
        stack.callback(files.close)
        checkpoints = Checkpoints(path.wal)
        stack.callback(checkpoints.close)
        inline_reader = InlineReader(inline)
        stack.callback(inline_reader.close)
        group_commit = GroupCommit(lock, checkpoints, files)
        await on_thread(writing, group_commit.start)
        try:
            async with asyncio.TaskGroup() as tasks:
                writer = Writer(writing, group_commit)
                store = SqliteStore(path, writer, row_reader, list_reader, inline_reader, group_commit)
                tasks.create_task(store.serve())
                watches = [tasks.create_task(files.watch()), tasks.create_task(schema.watch(inline))]
                try:
                    store.epoch = await store.read_epoch()
                    yield store
                finally:
                    for watch in watches:
                        watch.cancel()
                    store.close()
            files.look()
        except* FatalError:
            await on_thread(writing, group_commit.abandon)
            # As long as one connection is open, SQLite does not touch the files when the others are closed.
            _left_open.append(inline)
            close_inline.pop_all()
            raise


def _hold_for_last_close(lock: WriteLock) -> None:
    """Whoever closes the last connection runs a checkpoint, which another process may start beside. Where the lock is not
    free, another process has a connection.
    """
    with suppress(Unavailable):
        lock.acquire(_CLOSE_TIMEOUT)


def _warn(path: Path, names: int) -> None:
    """Of what may lose data while this process does all as it should."""
    if names > 1:
        log.warning("%s has %d names (hard links): opened by two of them, it is lost", path, names)
    if has_wal_reset_race(sqlite3.sqlite_version_info):
        log.warning(
            "SQLite %s has the WAL-reset race (fixed in 3.51.3): Taskbeam's write lock keeps it away, "
            "but do not let other programs write to the database while it runs",
            sqlite3.sqlite_version,
        )
