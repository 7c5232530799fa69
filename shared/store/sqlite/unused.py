"""A database file that no process has open, and none can open."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Final

from shared.store.copies import CopyFailed
from shared.store.sqlite.database_path import DatabasePath
from shared.store.sqlite.write_lock import WriteLock

# sqlite.org/fileformat2.html#the_lock_byte_page, os.h: whoever has a database in WAL mode open holds a lock on these bytes.
_SHARED_FIRST: Final = 0x4000_0002
_SHARED_BYTES: Final = 510
_LOCK_SECONDS: Final = 5.0


def require_unused(path: DatabasePath) -> None:
    """Raises CopyFailed where a process has the database open. It must not be open in this process either.

    A process that starts meanwhile comes no further than to the write lock.
    """
    descriptor = os.open(path.real, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, _SHARED_BYTES, _SHARED_FIRST)
    except (BlockingIOError, PermissionError):
        raise CopyFailed(f"{path.given} is in use: stop Taskbeam first") from None
    finally:
        os.close(descriptor)  # which releases the lock


@contextmanager
def unused(path: DatabasePath) -> Iterator[None]:
    """Keep all other processes from opening the database, by the write lock.

    Raises:
        CopyFailed: a process has it open.
        Unavailable: a process holds the write lock.
        OSError: its files cannot be opened.
    """
    with closing(WriteLock(path.lock)) as lock, lock.held(_LOCK_SECONDS):
        require_unused(path)
        yield
