"""Which addresses the processes of one database listen on.

Workers share a port, and any program of the same user may join in (``SO_REUSEPORT``), one of another database too, which
would get a share of the connections. So each worker holds the lock of every address that it listens on. Who finds the
lock free has to have the address for itself. The kernel drops a lock when its holder dies.
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
_START_SECONDS: Final = 10.0  # for those who start at the same time
_LOOK_SECONDS: Final = 0.01


class HeldLock(NamedTuple):
    """``descriptor`` holds it until it is closed. ``peers``: others held it already."""

    descriptor: int
    peers: bool


class PortLocks:
    """The locks of one database, files of a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @asynccontextmanager
    async def starting(self) -> AsyncIterator[None]:
        """For one process at a time, from looking who listens to listening. Raises OSError."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = self._open(_START)
        try:
            deadline = time.monotonic() + _START_SECONDS
            while not _is_taken(descriptor, fcntl.LOCK_EX):
                if time.monotonic() > deadline:
                    raise OSError(f"another process holds {self._folder / _START} for too long")
                await asyncio.sleep(_LOOK_SECONDS)
            yield
        finally:
            os.close(descriptor)

    def take(self, address: str) -> HeldLock:
        """The lock of an address, to be kept for as long as we listen there; only while ``starting``. Raises OSError."""
        descriptor = self._open(address)
        peers = not _is_taken(descriptor, fcntl.LOCK_EX)
        fcntl.flock(descriptor, fcntl.LOCK_SH)  # as the peers do, so it never waits
        return HeldLock(descriptor, peers)

    def _open(self, name: str) -> int:
        return os.open(self._folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _is_taken(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
