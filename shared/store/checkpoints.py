"""When the write-ahead log is moved into the database file.

The file of the log is kept at its length and written over from its beginning: to append to a file costs half
as much again as to overwrite it. So it is not the file's size that says how long the log is.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from pathlib import Path
from typing import Final

BUSY_TIMEOUT_MS: Final = 5000  # for programs that do not take the write lock, such as SQLite's own shell
_CHECKPOINT_WAIT_MS: Final = 100  # for readers; all writers wait too
# A checkpoint holds up all writers for as long as the disk takes. It waits for a quiet second, up to a limit; the
# longer the log, the more often a page was rewritten in it, and is copied once.
_CHECKPOINT_BYTES: Final = 64 * 1024 * 1024
_QUIET_CHECKPOINT_BYTES: Final = 4 * 1024 * 1024

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

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)

    @property
    def is_due(self) -> bool:
        """Whether the log is so long that writers have to wait for a checkpoint."""
        return self._has_grown_by(_CHECKPOINT_BYTES)

    @property
    def is_worth_while(self) -> bool:
        """Whether the log is long enough for a moment when nobody writes."""
        return self._has_grown_by(_QUIET_CHECKPOINT_BYTES)

    def _has_grown_by(self, size: int) -> bool:
        """Whether so many bytes have come since the last checkpoint, of whichever process."""
        try:
            if self._descriptor is None:
                self._descriptor = os.open(self._wal, os.O_RDONLY | os.O_CLOEXEC)
            header = os.pread(self._descriptor, _LOG_HEADER, 0)
        except OSError:  # no log yet, or no more files: the commit stands, and the next one asks again
            return False
        if len(header) < _LOG_HEADER:
            return False
        if header[_LOG_SALTS] != self._salts:
            self._salts, self._done, self._seen = header[_LOG_SALTS], 0, 0
        frame = _FRAME_HEADER + int.from_bytes(header[_PAGE_SIZE], "big")
        frames = self._done + size // frame
        if (
            os.pread(self._descriptor, _FRAME_HEADER, _LOG_HEADER + frames * frame)[_FRAME_SALTS]
            != self._salts
        ):
            return False
        self._seen = frames
        return True

    def run(self, connection: sqlite3.Connection) -> None:
        """Move the log into the database file, at a moment when nobody can commit.

        A reader on an old snapshot keeps the log from beginning anew. However it ends, the next try comes when the
        log has grown again.
        """
        self._done = self._seen
        try:
            connection.execute(f"PRAGMA busy_timeout = {_CHECKPOINT_WAIT_MS}")
            _, frames, _ = connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
            self._done = max(frames, self._done)  # -1 beside another program's checkpoint
        except sqlite3.Error as error:  # the commit stands; a full disk must not turn it into a failure
            log.warning("checkpoint failed: %s", error)
        finally:
            connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
