"""The machine: the cores for servers and load, a description, CPU and memory, and the load of other processes."""

from __future__ import annotations

import os
import platform
import resource
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import psutil

_FILES_NEEDED: Final = 18_000  # the most sockets of one of our processes, and some more


class UnsuitableMachine(Exception):
    """Benchmarks cannot run on this machine; the message says why."""


class Cores(NamedTuple):
    """The cores of the servers and of the load generator. Only some cases use both for both."""

    servers: int
    load: int

    @property
    def both(self) -> set[int]:
        return {self.servers, self.load}


def raise_file_limit() -> None:
    """As many sockets as the hard limit allows. Raises UnsuitableMachine."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and hard < _FILES_NEEDED:
        raise UnsuitableMachine(
            f"a process may open {hard} files here, {_FILES_NEEDED} are needed (ulimit -Hn)"
        )


def prepare() -> Cores:
    """Prepare this process, the load generator, and put it on its core. Raises UnsuitableMachine."""
    raise_file_limit()
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise UnsuitableMachine("two cores are needed, one for the servers and one for the load")
    cores = Cores(usable[0], usable[1])
    os.sched_setaffinity(0, {cores.load})
    return cores


@contextmanager
def on_cores(cores: set[int]) -> Iterator[None]:
    """Run this process, and those that it starts, on these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def describe(folder: Path) -> str:
    """Describe the kind of machine and the file system of ``folder``, without naming the machine."""
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
    """CPU time that the processes have used so far."""
    return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids)


def tree_cpu_seconds(pid: int) -> float:
    """As ``cpu_seconds``, of a process and all that it has started and that still run."""
    return cpu_seconds([pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))])


def memory_bytes(pids: Iterable[int]) -> int:
    """Proportional set size of the processes: a shared page counts in parts."""
    return sum(psutil.Process(pid).memory_full_info().pss for pid in pids)


class OtherLoad:
    """Measures the share of the machine that others took, from creation on: other processes, and other virtual machines.

    Our own are this process and those of its children that have ended.
    """

    def __init__(self) -> None:
        self._before, self._own_before = _machine_seconds(), _own_seconds()

    def share(self) -> float:
        now = _machine_seconds()
        spent = {name: now[name] - before for name, before in self._before.items()}
        return others_share(spent, _own_seconds() - self._own_before)


def others_share(spent: Mapping[str, float], own: float) -> float:
    """``spent``: seconds of all cores by kind, as the kernel names them; ``own``: what our processes used of them."""
    whole = sum(spent.values())
    processes = spent["user"] + spent["system"] + spent.get("nice", 0.0)
    return (max(0.0, processes - own) + spent.get("steal", 0.0)) / whole if whole else 0.0


def _machine_seconds() -> dict[str, float]:
    """Without guest time, which is part of user time."""
    times = psutil.cpu_times()._asdict()
    return {name: float(value) for name, value in times.items() if not name.startswith("guest")}


def _own_seconds() -> float:
    return sum(os.times()[:4])  # and those of children
