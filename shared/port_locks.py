"""Locks that keep the processes of different databases off each other's ports.

Workers share a port by ``SO_REUSEPORT``, which lets in any process of the same user: a worker of another database would
get a share of the connections. So each worker holds a lock file for every address that it listens on. A worker that
finds the lock free must bind the address exclusively. The kernel releases a lock when its holder dies.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

_START: Final = "start"
_START_SECONDS: Final = 10.0  # to wait for other processes that are starting
_POLL_SECONDS: Final = 0.01


class HeldLock(NamedTuple):
    """The lock is held until ``descriptor`` is closed. ``peers``: other processes held it already."""

    descriptor: int
    peers: bool


class PortLocks:
    """The locks of one database: files in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @asynccontextmanager
    async def starting(self) -> AsyncIterator[None]:
        """Held by one process at a time, from taking its locks until it listens. Raises OSError."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = self._open(_START)
        try:
            deadline = time.monotonic() + _START_SECONDS
            while not _try_lock(descriptor, fcntl.LOCK_EX):
                if time.monotonic() > deadline:
                    raise OSError(f"another process holds {self._folder / _START} for too long")
                await asyncio.sleep(_POLL_SECONDS)
            yield
        finally:
            os.close(descriptor)

    def take(self, address: str) -> HeldLock:
        """Take the lock of an address, to be held while we listen there. Only within ``starting``. Raises OSError."""
        descriptor = self._open(address)
        peers = not _try_lock(descriptor, fcntl.LOCK_EX)
        fcntl.flock(descriptor, fcntl.LOCK_SH)  # peers hold it shared, too: this never blocks
        return HeldLock(descriptor, peers)

    def _open(self, name: str) -> int:
        return os.open(self._folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
