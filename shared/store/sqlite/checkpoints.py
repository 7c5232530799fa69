"""When the write-ahead log is moved into the database file.

The file of the log is kept at its length and written over from its beginning: to append to a file costs half
as much again as to overwrite it. So it is not the file's size that says how long the log is. Only where a long reader has
made it grow far beyond the bound is it cut.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from pathlib import Path
from typing import Final

BUSY_TIMEOUT_MS: Final = 5000  # for programs that do not take the write lock, such as SQLite's own shell
_CHECKPOINT_WAIT_MS: Final = 100  # for readers; all writers wait too
# A checkpoint holds up all writers for as long as the disk takes. It waits for a quiet second, up to a limit; the
# longer the log, the more often a page was rewritten in it, and is copied once.
_CHECKPOINT_BYTES: Final = 64 * 1024 * 1024
_QUIET_CHECKPOINT_BYTES: Final = 4 * 1024 * 1024
_KEPT_BOUNDS: Final = 2  # the file keeps its length up to so many times the bound
_RETRY_SECONDS: Final = 10.0  # while others write; in a quiet moment a checkpoint is tried again at once
_SAYING_SECONDS: Final = 60.0

# sqlite.org/fileformat2.html#the_write_ahead_log: a header, then frames of a header and a page. Each frame repeats
# the salts of the log's header, which are new whenever the log begins anew.
_LOG_HEADER: Final = 32
_FRAME_HEADER: Final = 24
_PAGE_SIZE: Final = slice(8, 12)
_LOG_SALTS: Final = slice(16, 24)
_FRAME_SALTS: Final = slice(8, 16)

log = logging.getLogger(__name__)


class Checkpoints:
    """The log's length, and the way to empty it; all under the write lock.

    Args:
        wal: the log's file, which there may not be yet.
    """

    def __init__(self, wal: Path) -> None:
        self._wal = wal
        self._descriptor: int | None = None
        self._salts = b""
        self._done = 0  # frames that were in this log at the last checkpoint
        self._seen = 0  # frames that are known to be in it
        self._tried = float("-inf")
        self._unfinished_since: float | None = None
        self._said = float("-inf")

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)

    @property
    def is_due(self) -> bool:
        """Whether the log is so long that writers have to wait for a checkpoint."""
        if self._has_grown_by(_CHECKPOINT_BYTES):
            return True
        return time.monotonic() - self._tried >= _RETRY_SECONDS and self._is_wanting

    @property
    def is_worth_while(self) -> bool:
        """Whether the log is long enough for a moment when nobody writes."""
        return self._has_grown_by(_QUIET_CHECKPOINT_BYTES) or self._is_wanting

    @property
    def is_retry(self) -> bool:
        """Whether the last checkpoint could not finish."""
        return self._unfinished_since is not None

    @property
    def _is_wanting(self) -> bool:
        return self.is_retry or self._size > _KEPT_BOUNDS * _CHECKPOINT_BYTES

    @property
    def _size(self) -> int:
        """Of the log's file, in bytes."""
        try:
            return os.fstat(self._open()).st_size
        except OSError:  # no log yet, or no more files
            return 0

    def _open(self) -> int:
        if self._descriptor is None:
            self._descriptor = os.open(self._wal, os.O_RDONLY | os.O_CLOEXEC)
        return self._descriptor

    def _has_grown_by(self, size: int) -> bool:
        """Whether so many bytes have come since the last checkpoint, of whichever process."""
        try:
            descriptor = self._open()
            header = os.pread(descriptor, _LOG_HEADER, 0)
        except OSError:  # no log yet, or no more files: the commit stands, and the next one asks again
            return False
        if len(header) < _LOG_HEADER:
            return False
        if header[_LOG_SALTS] != self._salts:
            self._salts, self._done, self._seen = header[_LOG_SALTS], 0, 0
        frame = _FRAME_HEADER + int.from_bytes(header[_PAGE_SIZE], "big")
        frames = self._done + size // frame
        if os.pread(descriptor, _FRAME_HEADER, _LOG_HEADER + frames * frame)[_FRAME_SALTS] != self._salts:
            return False
        self._seen = frames
        return True

    def run(self, connection: sqlite3.Connection) -> None:
        """Move the log into the database file, at a moment when nobody can commit.

        A reader on an old snapshot keeps the log from beginning anew: then the next try comes when the log has grown
        again, in a quiet moment, or after ten seconds.
        """
        self._done = max(self._seen, self._done)
        self._tried = time.monotonic()
        finished = False
        try:
            connection.execute(f"PRAGMA busy_timeout = {0 if self.is_retry else _CHECKPOINT_WAIT_MS}")
            mode = "TRUNCATE" if self._size > _KEPT_BOUNDS * _CHECKPOINT_BYTES else "RESTART"
            busy, frames, _ = connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
            finished = not busy
            self._done = max(frames, self._done)  # -1 beside another program's checkpoint
        except sqlite3.Error as error:  # the commit stands; a full disk must not turn it into a failure
            self._say("checkpoint failed: %s", error)
        finally:
            connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        self._account_for(finished)

    def _account_for(self, finished: bool) -> None:
        since = self._unfinished_since
        if finished:
            if since is not None and self._said >= since:
                log.info("the write-ahead log is emptied again, after %.0f s", self._tried - since)
            self._unfinished_since, self._said = None, float("-inf")
        elif since is None:
            self._unfinished_since = self._tried
        elif self._tried - since >= 1:
            self._say(
                "the write-ahead log (%d MiB) cannot be emptied: for %.0f s somebody has been reading an old state of the "
                "database, as a program with an open transaction does",
                self._size >> 20,
                self._tried - since,
            )

    def _say(self, message: str, *arguments: object) -> None:
        """Once a minute at most."""
        if self._tried - self._said >= _SAYING_SECONDS:
            self._said = self._tried
            log.warning(message, *arguments)
