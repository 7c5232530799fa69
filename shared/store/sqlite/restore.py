"""A copy put in the database's place, while nobody serves it; the database that was there is kept beside it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from shared.store.copies import CopyFailed, Progress, Restored
from shared.store.sqlite.backup import (
    beside,
    copy_database,
    in_one_line,
    require_sound,
    sync_file,
    sync_folder,
)
from shared.store.sqlite.database_path import DatabasePath
from shared.store.sqlite.meta import immutable_uri, new_epoch, read_epoch
from shared.store.sqlite.ownership import require_ours
from shared.store.sqlite.unused import require_unused
from shared.store.sqlite.write_lock import WriteLock


def restore(given: Path, backup: Path, *, progress: Progress) -> Restored:
    """Put a backup in the database's place, with a new epoch.

    It is copied and checked first, and then takes the place at once: a crash leaves the one or the other.

    Raises:
        CopyFailed: nothing was changed.
    """
    path, source = DatabasePath(given), DatabasePath(backup)
    with in_one_line(f"{backup} is not restored"):
        if not source.real.is_file() or not source.real.stat().st_size:
            raise CopyFailed(f"there is no backup {backup}")
        require_ours(source)
        path.real.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = WriteLock(path.lock)
        try:
            if path.real.exists():
                require_unused(path)  # before all the work; and once more below
            with beside(path.real) as copy:
                with closing(_connect(source)) as connection:
                    copy_database(connection, copy, progress)
                epoch = _renew_epoch(copy)
                require_sound(copy)
                with lock.held():
                    former = _keep_former(path)
                    os.replace(copy, path.real)
                    sync_folder(path.real.parent)
        finally:
            lock.close()
        return Restored(epoch, former)


def _connect(source: DatabasePath) -> sqlite3.Connection:
    """A backup may lie where nothing can be written. One that was copied by hand may have its log beside it."""
    if source.wal.exists():
        return sqlite3.connect(source.real, isolation_level=None)
    return sqlite3.connect(immutable_uri(source.real), uri=True, isolation_level=None)


def _renew_epoch(copy: Path) -> str:
    with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        new_epoch(connection)
        epoch = read_epoch(connection)
    sync_file(copy)
    return epoch


def _keep_former(path: DatabasePath) -> Path | None:
    """Give the database that is there a second name, and take its log away. Only under the write lock."""
    if not path.real.exists():
        return None
    require_unused(path)
    former = None
    if path.real.stat().st_size:
        with suppress(sqlite3.Error), closing(sqlite3.connect(path.real, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")  # all of it is in the file then
        former = _free_name(path)
        os.link(path.real, former)
        if path.wal.exists():  # the file is damaged
            os.rename(path.wal, f"{former}-wal")
    path.wal.unlink(missing_ok=True)
    path.shm.unlink(missing_ok=True)
    return former


def _free_name(path: DatabasePath) -> Path:
    number = 1
    while (name := path.beside(f".before-restore-{number}")).exists():
        number += 1
    return name
