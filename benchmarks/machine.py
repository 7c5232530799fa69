"""The machine: which cores serve and which load, what it is in words, and how much of it others took meanwhile."""

from __future__ import annotations

import os
import platform
import resource
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import psutil

_FILES_NEEDED: Final = 18_000  # sockets of one process of ours, with some room


class Unfit(Exception):
    """This machine cannot be measured on; the text says what is missing."""


class Cores(NamedTuple):
    """Servers and load never share a core, except where a case says so."""

    servers: int
    load: int

    @property
    def both(self) -> set[int]:
        return {self.servers, self.load}


def raise_file_limit() -> None:
    """As many sockets as the hard limit allows. Raises Unfit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and hard < _FILES_NEEDED:
        raise Unfit(f"a process may open {hard} files here, {_FILES_NEEDED} are needed (ulimit -Hn)")


def prepare() -> Cores:
    """Make this process, which makes the load, ready for it, on a core of its own. Raises Unfit."""
    raise_file_limit()
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise Unfit("two cores are needed, one for the servers and one for the load")
    cores = Cores(usable[0], usable[1])
    os.sched_setaffinity(0, {cores.load})
    return cores


@contextmanager
def on_cores(cores: set[int]) -> Iterator[None]:
    """This process, and what it starts meanwhile, on those cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def in_words(folder: Path) -> str:
    """The machine's kind, with the file system of ``folder``; nothing that names the machine itself."""
    python = ".".join(str(part) for part in sys.version_info[:3])
    return (
        f"{len(os.sched_getaffinity(0))} cores, {platform.system()}, Python {python}, "
        f"SQLite {sqlite3.sqlite_version} on {_file_system(folder)}"
    )


def _file_system(folder: Path) -> str:
    path = str(folder.resolve())
    mounts = [
        (part.mountpoint, part.fstype)
        for part in psutil.disk_partitions(all=True)
        if path == part.mountpoint or path.startswith(part.mountpoint.rstrip("/") + "/")
    ]
    return max(mounts, key=lambda mount: len(mount[0]), default=("", "an unknown file system"))[1]


def cpu_seconds(pids: Iterable[int]) -> float:
    """What those processes have used of the processors so far."""
    return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids)


def memory_bytes(pids: Iterable[int]) -> int:
    """Their proportional set size: shared pages count for each process's part."""
    return sum(psutil.Process(pid).memory_full_info().pss for pid in pids)


class Foreign:
    """The share of the machine that stolen time and niced work took since this was made.

    Our own processes are not niced, except the threads that hash passwords: where those work, only stolen time tells.
    """

    def __init__(self) -> None:
        self._before = psutil.cpu_times()

    def share(self, niced_is_ours: bool = False) -> float:
        spent = [now - then for now, then in zip(psutil.cpu_times(), self._before, strict=True)]
        taken = dict(zip(self._before._fields, spent, strict=True))
        # guest time is part of user time already
        whole = sum(taken[name] for name in taken if not name.startswith("guest"))
        others = taken.get("steal", 0.0) + (0.0 if niced_is_ours else taken.get("nice", 0.0))
        return others / whole if whole else 0.0
