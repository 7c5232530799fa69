"""Checkpoints: when the write-ahead log is copied into the database file.

The log file keeps its length and is overwritten from its start, since appending to a file costs half as much again as
overwriting it. So the file's size does not tell how long the log is. The file is truncated only where a long read has made
it grow far beyond the limit.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from pathlib import Path
from typing import Final

BUSY_TIMEOUT_MS: Final = 5000  # for programs that do not take the write lock, such as SQLite's shell
_CHECKPOINT_WAIT_MS: Final = 100  # for readers to finish; all writers wait meanwhile
# A checkpoint blocks all writers while the disk works. So it waits for a quiet second, up to a limit. In a longer log a
# page was more often rewritten, and it is copied only once.
_CHECKPOINT_BYTES: Final = 64 * 1024 * 1024
_QUIET_CHECKPOINT_BYTES: Final = 4 * 1024 * 1024
_MAX_FILE_FACTOR: Final = 2  # a longer file, in multiples of the limit, is truncated
_RETRY_SECONDS: Final = 10.0  # while others write; in a quiet moment it is tried again at once
_WARNING_SECONDS: Final = 60.0

# sqlite.org/fileformat2.html#the_write_ahead_log: a header, then frames of a header and a page. Each frame repeats
# the salts of the log's header, which change whenever the log restarts.
_LOG_HEADER: Final = 32
_FRAME_HEADER: Final = 24
_PAGE_SIZE: Final = slice(8, 12)
_LOG_SALTS: Final = slice(16, 24)
_FRAME_SALTS: Final = slice(8, 16)

log = logging.getLogger(__name__)


class Checkpoints:
    """Knows the log's length, and runs checkpoints; all under the write lock.

    Args:
        wal: the log's file, which may not exist yet.
    """

    def __init__(self, wal: Path) -> None:
        self._wal = wal
        self._descriptor: int | None = None
        self._salts = b""
        self._done = 0  # frames in this log at the last checkpoint
        self._seen = 0  # frames known to be in this log
        self._tried = float("-inf")
        self._unfinished_since: float | None = None
        self._warned = float("-inf")

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)

    @property
    def is_due(self) -> bool:
        """Whether the log is so long that writers must wait for a checkpoint."""
        if self._has_grown_by(_CHECKPOINT_BYTES):
            return True
        return time.monotonic() - self._tried >= _RETRY_SECONDS and self._is_unfinished

    @property
    def is_worth_while(self) -> bool:
        """Whether the log is long enough for a checkpoint while nobody writes."""
        return self._has_grown_by(_QUIET_CHECKPOINT_BYTES) or self._is_unfinished

    @property
    def is_retry(self) -> bool:
        """Whether the last checkpoint could not finish."""
        return self._unfinished_since is not None

    @property
    def _is_unfinished(self) -> bool:
        return self.is_retry or self._size > _MAX_FILE_FACTOR * _CHECKPOINT_BYTES

    @property
    def _size(self) -> int:
        """The size of the log's file in bytes."""
        try:
            return os.fstat(self._open()).st_size
        except OSError:  # no log yet, or no descriptors left
            return 0

    def _open(self) -> int:
        if self._descriptor is None:
            self._descriptor = os.open(self._wal, os.O_RDONLY | os.O_CLOEXEC)
        return self._descriptor

    def _has_grown_by(self, size: int) -> bool:
        """Whether all processes together wrote ``size`` bytes to the log since the last checkpoint."""
        try:
            descriptor = self._open()
            header = os.pread(descriptor, _LOG_HEADER, 0)
        except (
            OSError
        ):  # no log yet, or no descriptors left: the commit is done, and the next one checks again
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
        """Copy the log into the database file, while nobody can commit.

        A reader of an old snapshot prevents the log's restart. Then the next try comes when the log has grown again, in a
        quiet moment, or after ten seconds.
        """
        self._done = max(self._seen, self._done)
        self._tried = time.monotonic()
        finished = False
        try:
            connection.execute(f"PRAGMA busy_timeout = {0 if self.is_retry else _CHECKPOINT_WAIT_MS}")
            mode = "TRUNCATE" if self._size > _MAX_FILE_FACTOR * _CHECKPOINT_BYTES else "RESTART"
            busy, frames, _ = connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
            finished = not busy
            self._done = max(frames, self._done)  # -1 during another program's checkpoint
        except sqlite3.Error as error:  # the commit is done: a full disk must not turn it into a failure
            self._warn("checkpoint failed: %s", error)
        finally:
            connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        self._record_result(finished)

    def _record_result(self, finished: bool) -> None:
        since = self._unfinished_since
        if finished:
            if since is not None and self._warned >= since:
                log.info("the write-ahead log is emptied again, after %.0f s", self._tried - since)
            self._unfinished_since, self._warned = None, float("-inf")
        elif since is None:
            self._unfinished_since = self._tried
        elif self._tried - since >= 1:
            self._warn(
                "the write-ahead log (%d MiB) cannot be emptied: for %.0f s somebody has been reading an old state of the "
                "database, as a program with an open transaction does",
                self._size >> 20,
                self._tried - since,
            )

    def _warn(self, message: str, *arguments: object) -> None:
        """Log a warning, at most once a minute."""
        if self._tried - self._warned >= _WARNING_SECONDS:
            self._warned = self._tried
            log.warning(message, *arguments)
