"""The lock that keeps a schema as it is while processes that know it serve the database.

Each process holds it shared. One that has to bring the schema up to date takes it exclusively, so it waits until all
others have left. It tells them by a second lock, for which they look every second; then they end, and their supervisor
starts what is installed now. So nobody ever reads or writes a schema that it does not know. The kernel drops both locks when
their holder dies.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
import time
from contextlib import suppress
from typing import Final

from shared.errors import Unavailable
from shared.store.sqlite.database_path import DatabasePath
from shared.store.sqlite.migrate import migrate, newest_version, schema_version
from shared.store.sqlite.write_lock import START_TIMEOUT, WriteLock

_LOOK_SECONDS: Final = 1.0
_POLL_SECONDS: Final = 0.02


class SchemaLock:
    """The two locks, not held yet. Raises OSError."""

    def __init__(self, path: DatabasePath) -> None:
        self._schema = _open(path, "-schema")
        self._upgrade = _open(path, "-upgrade")

    def close(self) -> None:
        os.close(self._schema)
        os.close(self._upgrade)

    def bring_up_to_date(self, connection: sqlite3.Connection, lock: WriteLock) -> None:
        """Hold the schema as this program knows it, until ``close``. Blocks the calling thread.

        Raises:
            Unavailable: the schema is newer; or processes of another version do not end, or do not finish.
        """
        deadline = time.monotonic() + START_TIMEOUT
        while not (self._enter(connection, lock) or self._upgrade_alone(connection, lock, deadline)):
            if time.monotonic() > deadline:
                raise Unavailable("another process brings the database up to date, and does not finish")
            time.sleep(_POLL_SECONDS)

    async def watch(self, connection: sqlite3.Connection) -> None:
        """Look every second until cancelled; to be run as one supervised task.

        Raises:
            Unavailable: another version of this program has brought the schema up to date, or is about to.
        """
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if self._is_upgrade_wanted() or _is_newer(connection):
                raise Unavailable(
                    "another version of this program brings the database up to date: this process ends, to be started as that"
                )

    def _enter(self, connection: sqlite3.Connection, lock: WriteLock) -> bool:
        """Whether nothing is to be done but to take part: the schema is the newest, or the database is new."""
        if self._is_upgrade_wanted() or not _try_lock(self._schema, fcntl.LOCK_SH):
            return False
        if _is_older(connection):
            fcntl.flock(self._schema, fcntl.LOCK_UN)
            return False
        with lock.held(START_TIMEOUT):
            migrate(connection)
        return True

    def _upgrade_alone(self, connection: sqlite3.Connection, lock: WriteLock, deadline: float) -> bool:
        """Whether this process has brought an older schema up to date; False: another one has, or is about to."""
        if not _is_older(connection) or not _try_lock(self._upgrade, fcntl.LOCK_EX):
            return False
        try:
            if not _is_older(connection):
                return False
            while not _try_lock(self._schema, fcntl.LOCK_EX):
                if time.monotonic() > deadline:
                    raise Unavailable("a process of an older version has the database open, and does not end")
                time.sleep(_POLL_SECONDS)
            with lock.held(START_TIMEOUT):
                migrate(connection)
            fcntl.flock(self._schema, fcntl.LOCK_SH)
        finally:
            fcntl.flock(self._upgrade, fcntl.LOCK_UN)
        return True

    def _is_upgrade_wanted(self) -> bool:
        if _try_lock(self._upgrade, fcntl.LOCK_SH):
            fcntl.flock(self._upgrade, fcntl.LOCK_UN)
            return False
        return True


def _is_older(connection: sqlite3.Connection) -> bool:
    return 0 < schema_version(connection) < newest_version()


def _is_newer(connection: sqlite3.Connection) -> bool:
    """By a program that knows nothing of the lock."""
    with suppress(sqlite3.Error):  # the next look tells
        return schema_version(connection) > newest_version()
    return False


def _open(path: DatabasePath, suffix: str) -> int:
    return os.open(path.beside(suffix), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
