"""Full disks: a small tmpfs where we may mount one, and a limit on file sizes, which works anywhere."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

import pytest

from tests.support.processes import System, running

_LITTLE_ROOM: Final = 200_000  # bytes
_TMPFS_BYTES: Final = 3 * 1024 * 1024


class Disk(Protocol):
    """The disk that a system's database is on."""

    system: System

    def leave_little_room(self) -> None:
        """Leave room for a few more writes."""
        ...

    def fill(self) -> None:
        """Leave no room."""
        ...

    def make_room(self) -> None: ...


class Tmpfs:
    """A file system that is filled by a file: writes fail with ENOSPC."""

    def __init__(self, system: System) -> None:
        self.system = system
        self._filler = system.folder / "filler"

    def leave_little_room(self) -> None:
        state = os.statvfs(self.system.folder)
        self._grow(state.f_bavail * state.f_frsize - _LITTLE_ROOM)

    def fill(self) -> None:
        with contextlib.suppress(OSError):  # no space left
            while True:
                self._grow(4096)

    def _grow(self, size: int) -> None:
        with self._filler.open("ab", buffering=0) as file:
            file.write(bytes(size))

    def make_room(self) -> None:
        self._filler.unlink()


class SizeLimit:
    """A limit on the size of the processes' files: writes fail with EFBIG, since Python ignores SIGXFSZ. Needs no privilege."""

    def __init__(self, system: System) -> None:
        self.system = system

    def leave_little_room(self) -> None:
        self._limit(self._wal_size() + _LITTLE_ROOM)

    def fill(self) -> None:
        self._limit(self._wal_size())

    def _wal_size(self) -> int:
        return self.system.database.with_name(self.system.database.name + "-wal").stat().st_size

    def _limit(self, size: int) -> None:
        for process in self.system.processes:
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def make_room(self) -> None:
        self._limit(resource.RLIM_INFINITY)


@contextmanager
def tmpfs_disk(folder: Path) -> Iterator[Disk]:
    """Skips where nothing may be mounted."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_TMPFS_BYTES},mode=0700", "taskbeam-test", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"no file system may be mounted here: {mounted.stderr.strip()}")
    try:
        with running(folder, MESSAGES_PER_SECOND="0") as system:
            yield Tmpfs(system)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def limited_disk(folder: Path) -> Iterator[Disk]:
    with running(folder, MESSAGES_PER_SECOND="0") as system:
        yield SizeLimit(system)
