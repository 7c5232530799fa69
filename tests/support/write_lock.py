"""The lock file that every process takes before it writes. While a test holds it, writes wait and reads go on."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.processes import System


class WriteLock:
    """The write lock of a system's database; not held at first."""

    def __init__(self, system: System) -> None:
        self._descriptor = os.open(f"{system.database}-lock", os.O_RDWR)

    def acquire(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def try_acquire(self) -> bool:
        """Whether the lock was free and is held now."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Release it too, where it is held."""
        os.close(self._descriptor)


@contextmanager
def write_lock(system: System) -> Iterator[WriteLock]:
    """A lock that is closed at the end."""
    lock = WriteLock(system)
    try:
        yield lock
    finally:
        lock.close()


@contextmanager
def write_lock_held(system: System) -> Iterator[None]:
    with write_lock(system) as lock:
        lock.acquire()
        yield
