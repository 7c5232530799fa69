"""Holding the write lock of a system's database: its writes wait, its reads go on."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.processes import System


@contextmanager
def writes_held_up(system: System) -> Iterator[None]:
    lock = system.database.with_name(system.database.name + "-lock")
    descriptor = os.open(lock, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
