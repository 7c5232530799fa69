"""The lock that every writing process takes around a transaction."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from shared.errors import Unavailable

LOCK_TIMEOUT: Final = 5.0
START_TIMEOUT: Final = 30.0  # another process may be in a long migration


class WriteLock:
    """A file beside the database, locked with ``flock``.

    SQLite's own busy handler sleeps up to 100 ms between tries; and a checkpoint beside another
    connection's commit is what SQLite before 3.51.3 can corrupt the file by. Whoever holds this
    lock is alone with the write-ahead log. The kernel drops it when its holder dies.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def acquire(self, timeout: float = 0.0) -> None:
        """Blocks the calling thread. Raises Unavailable after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        pause = 0.0001
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise Unavailable("another process holds the write lock") from None
                time.sleep(pause)
                pause = min(pause * 2, 0.002)

    def fileno(self) -> int:
        return self._descriptor

    def release(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    @contextmanager
    def held(self, timeout: float = LOCK_TIMEOUT) -> Iterator[None]:
        """Blocks the calling thread. Raises Unavailable after ``timeout`` seconds."""
        self.acquire(timeout)
        try:
            yield
        finally:
            self.release()

    def close(self) -> None:
        os.close(self._descriptor)
