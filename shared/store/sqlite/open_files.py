"""Checks that the database's files are still those that this process has open.

A wrong restore, or a tool that synchronizes folders, may move, remove or replace them while they are served. Everything
written after that is lost at the next start. So the files are checked before each commit, again before it is acknowledged,
and every second. Where a file is another one, the process writes nothing more and exits, to be started on the new files.
"""

from __future__ import annotations

import asyncio
import enum
import logging
import os
import sqlite3
from contextlib import suppress
from typing import Final

from shared.errors import FatalError, Unavailable
from shared.store.sqlite import meta
from shared.store.sqlite.database_path import DatabasePath
from shared.store.sqlite.wal_index import LOG_HEADER_BYTES, WalIndex, open_descriptor, read_wal_index

_LOOK_SECONDS: Final = 1.0
_CHECKPOINT_WAIT_MS: Final = 2000
# sqlite.org/fileformat2.html#the_write_ahead_log: the salts, in the log's header and in a frame's.
_LOG_SALTS: Final = 16
_FRAME_SALTS: Final = 8
_SALTS_BYTES: Final = 8

_Identity = tuple[int, int]

log = logging.getLogger(__name__)


class Fault(enum.Enum):
    """Which file was changed, and how."""

    DATABASE = enum.auto()  # moved, removed or replaced, like the next four
    DATABASE_LINK = enum.auto()
    LOG = enum.auto()
    INDEX = enum.auto()
    LOCK = enum.auto()
    DATABASE_CONTENT = enum.auto()  # overwritten in place
    LOG_CONTENT = enum.auto()  # truncated or overwritten


_HARMLESS: Final = (
    Fault.DATABASE_LINK,
    Fault.LOCK,
    Fault.INDEX,
)  # other processes may continue with the index
_TEXTS: Final = {
    Fault.DATABASE_CONTENT: "was written over by another program",
    Fault.LOG_CONTENT: "was cut short or written over",
}


class OpenFiles:
    """The files at the time when the last connection was opened.

    Args:
        path: its files, which all exist.
        database: the database file's state before the first connection.
        lock: the descriptor of the write lock.

    Raises:
        FatalError: the files were replaced meanwhile.
    """

    def __init__(self, path: DatabasePath, database: os.stat_result, lock: int) -> None:
        self._path = path
        watched = [
            (Fault.DATABASE, path.real, database),
            (Fault.LOG, path.wal, os.stat(path.wal)),
            (Fault.INDEX, path.shm, os.stat(path.shm)),
            (Fault.LOCK, path.lock, os.fstat(lock)),
        ]
        if path.given.absolute() != path.real:
            watched.append((Fault.DATABASE_LINK, path.given, database))
        self._faults = [fault for fault, _, _ in watched]
        self._paths = [str(file) for _, file, _ in watched]
        self._identities = [_identity(state) for _, _, state in watched]
        self._lost: FatalError | None = None
        self._fault: Fault | None = None
        self._index = open_descriptor(str(path.shm))
        self._wal = os.open(path.wal, os.O_RDONLY | os.O_CLOEXEC)
        self._version = (database.st_mtime_ns, database.st_size)
        self._checkpoint: object = None
        self._content: meta.Content | None = None
        self._written_from = 0  # the log file's size before the commit
        self._look()

    def close(self) -> None:
        os.close(self._wal)

    def look(self) -> bool:
        """A check without the lock, in microseconds. Returns whether ``before_commit`` must check further.

        Raises:
            FatalError: a file is another one.
            Unavailable: the files cannot be checked now.
        """
        index = self._read_index()
        database, wal = self._look()
        if index is None:
            return False
        return not self._is_whole(index, wal.st_size) or self._has_changed(
            (database.st_mtime_ns, database.st_size), index
        )

    async def watch(self) -> None:
        """Check every second until cancelled; run it as one supervised task.

        Raises:
            FatalError: a file is another one.
        """
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                self.look()
            except FatalError:
                raise
            except Unavailable:  # checked again in a second
                pass

    def before_commit(self) -> None:
        """Call it under the write lock, which excludes all checkpoints except those of other programs.

        Raises:
            FatalError: a file is another one, or was changed by another program.
            Unavailable: the files cannot be checked now.
        """
        database, wal = self._look()
        index = self._read_index()
        if index is not None and not self._is_whole(index, wal.st_size):
            raise self._change(Fault.LOG_CONTENT, str(self._path.wal))
        version = (database.st_mtime_ns, database.st_size)
        if index is not None and self._has_changed(version, index):
            self._check_content(version, index)
        self._written_from = wal.st_size

    def after_commit(self) -> None:
        """Call it under the write lock, before the commit is acknowledged.

        Raises:
            FatalError: the commit may not be in the files that are there now.
            Unavailable: the files cannot be checked now.
        """
        _, wal = self._look()
        if wal.st_size > self._written_from and self._is_cut_before(self._written_from):
            raise self._change(Fault.LOG_CONTENT, str(self._path.wal))

    def _look(self) -> tuple[os.stat_result, os.stat_result]:
        """Check all files; returns the states of the database and of its log."""
        if self._lost is not None:
            raise self._lost
        states = []
        for number, path in enumerate(self._paths):
            try:
                state = os.stat(path)
            except (FileNotFoundError, NotADirectoryError):
                raise self._change(self._faults[number], path) from None
            except OSError as error:
                raise Unavailable(f"cannot look at {path}: {error.strerror}") from error
            if (state.st_dev, state.st_ino) != self._identities[number]:
                raise self._change(self._faults[number], path)
            states.append(state)
        return states[0], states[1]

    def _change(self, fault: Fault, path: str) -> FatalError:
        what = _TEXTS.get(fault, "was moved, removed or replaced")
        self._fault = fault
        self._lost = FatalError(
            f"{path} {what} while it was open: this process ends, to be started on what is there now"
        )
        return self._lost

    def _read_index(self) -> WalIndex | None:
        return None if self._index is None else read_wal_index(self._index)

    def _is_whole(self, index: WalIndex, size: int) -> bool:
        """Whether the log file, of this size, has the frames that the index knows: the salts at both ends must match."""
        if not index.frames:
            return True
        return (
            size >= index.log_bytes
            and os.pread(self._wal, _SALTS_BYTES, _LOG_SALTS) == index.salts
            and os.pread(self._wal, _SALTS_BYTES, index.log_bytes - index.frame_bytes + _FRAME_SALTS)
            == index.salts
        )

    def _has_changed(self, version: tuple[int, int], index: WalIndex) -> bool:
        return (
            version != self._version
            or index.checkpoint != self._checkpoint
            or (self._content is None and index.is_settled)
        )

    def _check_content(self, version: tuple[int, int], index: WalIndex) -> None:
        """The database file was written, usually by a checkpoint: then remember its new content. Else raise FatalError."""
        try:
            content = meta.read_file(self._path)
        except sqlite3.Error:  # no file descriptors or memory left: the next commit checks again
            return
        is_known = self._content is not None and index.checkpoint == self._checkpoint and index.is_settled
        if is_known and (content != self._content or version[1] != self._version[1]):
            raise self._change(Fault.DATABASE_CONTENT, str(self._path.real))
        self._version, self._checkpoint = version, index.checkpoint
        self._content = content if index.is_settled else None

    def _is_cut_before(self, end: int) -> bool:
        """Whether the last frame before this offset is a hole, as after a commit to a truncated log."""
        index = self._read_index()
        if index is None:
            return False
        whole = (end - LOG_HEADER_BYTES) // index.frame_bytes
        if whole < 0:
            return False
        salts = _LOG_SALTS
        if whole:
            salts = LOG_HEADER_BYTES + (whole - 1) * index.frame_bytes + _FRAME_SALTS
        return not any(os.pread(self._wal, _SALTS_BYTES, salts))

    @property
    def wants_checkpoint(self) -> bool:
        """Whether the expected content of the database file is unknown: it is new, or a checkpoint was interrupted."""
        index = self._read_index()
        return index is not None and (not index.is_settled or (index.frames > 0 and index.copied == 0))

    def abandon(self, connection: sqlite3.Connection, alone: bool) -> None:
        """Leave the files in a state in which the next process that opens them loses and mixes up nothing.

        Our log is copied into our database file, wherever that is now, unless the log is damaged, or another log is beside
        the database. A log of another database must not stay beside the new one, because SQLite would apply it. After
        this, SQLite must not close its last connection in this process: it would run a checkpoint, and delete the file
        that it takes for its log.

        Args:
            connection: the writer's connection.
            alone: whether this process holds the write lock.
        """
        fault = self._fault
        try:
            emptied = False
            if alone and (fault is Fault.DATABASE or (fault is Fault.LOG and self._may_take_log())):
                emptied = self._empty_log(connection)
            if self._is_ours(Fault.LOG) and (
                fault is Fault.DATABASE_CONTENT or not self._is_ours(Fault.DATABASE)
            ):
                if emptied:
                    os.unlink(self._path.wal)
                else:
                    log.warning("the log of the database that was open is %s now", self._path.set_log_aside())
            if fault not in _HARMLESS and self._is_ours(Fault.INDEX):
                os.unlink(self._path.shm)
        except OSError as error:
            log.error("cannot put the files in order: %s", error)

    def _is_ours(self, file: Fault) -> bool:
        number = self._faults.index(file)
        with suppress(OSError):
            return _identity(os.stat(self._paths[number])) == self._identities[number]
        return False

    def _may_take_log(self) -> bool:
        """Whether the database at its path seems to be the one of our log, and has no other log."""
        if self._path.wal.exists() or not self._is_ours(Fault.DATABASE):
            return False
        ours = os.fstat(self._wal)
        if any(os.path.samestat(file.stat(), ours) for file in self._path.logs_set_aside()):
            return False  # set aside by another process, which found the database overwritten
        state = os.stat(self._path.real)
        if (state.st_mtime_ns, state.st_size) == self._version:
            return True
        with suppress(sqlite3.Error):
            return meta.read_file(self._path) == self._content
        return False

    def _empty_log(self, connection: sqlite3.Connection) -> bool:
        index = self._read_index()
        if index is None or not self._is_whole(index, os.fstat(self._wal).st_size):
            return False
        with suppress(sqlite3.Error):
            connection.execute(f"PRAGMA busy_timeout = {_CHECKPOINT_WAIT_MS}")
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return not busy
        return False


def _identity(state: os.stat_result) -> _Identity:
    return state.st_dev, state.st_ino
