"""Checks whether a file is a Taskbeam database, without changing it or making a file beside it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

from shared.errors import Unavailable
from shared.store.sqlite.database_path import DatabasePath
from shared.store.sqlite.meta import immutable_uri
from shared.store.sqlite.migrate import newest_version
from shared.store.sqlite.write_lock import START_TIMEOUT, WriteLock

APPLICATION_ID: Final = 0x5461_7362  # "Tasb"; sqlite.org/pragma.html#pragma_application_id
_SMALLEST_BYTES: Final = 512  # the smallest page; SQLite takes a shorter file for an empty one
# Old databases without the application id are recognized by these tables, which all versions have.
_TABLES: Final = frozenset({"meta", "users", "feeds", "tasks", "changes", "sessions", "revocations"})


class _Identification(NamedTuple):
    application_id: int
    schema_version: int
    names: frozenset[str]

    @property
    def is_blank(self) -> bool:
        return self.application_id == 0 and self.schema_version == 0 and not self.names


def require_ours(path: DatabasePath) -> None:
    """Return for a Taskbeam database, and for an empty file.

    Raises:
        Unavailable: the file is something else, or has a newer schema, or cannot be read; or a checkpoint takes too long.
        OSError: the lock beside it cannot be opened.
    """
    size = os.stat(path.real).st_size
    if not size:
        return
    if size < _SMALLEST_BYTES:
        raise Unavailable(f"cannot open {path.given}: file is not a database")
    try:
        found = _identify(path)
    except sqlite3.Error as error:
        raise Unavailable(f"cannot open {path.given}: {error}") from error
    if found.is_blank:
        return
    if found.application_id != APPLICATION_ID and (found.application_id or not found.names >= _TABLES):
        raise Unavailable(f"{path.given} is the database of another program")
    if found.schema_version > newest_version():
        raise Unavailable(
            f"{path.given} has schema version {found.schema_version}, this program knows {newest_version()}"
        )


def _identify(path: DatabasePath) -> _Identification:
    """Read the file without SQLite's locks. While a checkpoint writes it, it looks damaged: then read it again after that."""
    try:
        return _read_file(path)
    except sqlite3.Error as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CORRUPT or not path.lock.exists():
            raise
    lock = WriteLock(path.lock)
    try:
        with lock.held(START_TIMEOUT):
            return _read_file(path)
    finally:
        lock.close()


def _read_file(path: DatabasePath) -> _Identification:
    found = _read(immutable_uri(path.real))
    if found.is_blank and path.wal.exists():
        # Everything may still be in the log, where the process that made the database was killed.
        return _read_with_log(path)
    return found


def _read(uri: str) -> _Identification:
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        application_id, version = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
        )
        names = connection.execute("SELECT name FROM sqlite_schema").fetchall()
    return _Identification(application_id, version, frozenset(name for (name,) in names))


def _read_with_log(path: DatabasePath) -> _Identification:
    """Read a copy: on the file itself SQLite would make an index, and empty the log at the end."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "copy")
        shutil.copyfile(path.real, copy)
        shutil.copyfile(path.wal, f"{copy}-wal")
        return _read(f"file:{quote(str(copy))}")
