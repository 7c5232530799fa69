"""The folder in which processes of one database publish their numbers: a slot for each, which one process holds at a time.

A process takes the first slot that is free, so that one that is started again goes on with the numbers of the one that ended.
Where none is held, Taskbeam starts anew: the folder is emptied.
"""

from __future__ import annotations

import fcntl
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_LOCK: Final = re.compile(r"(?P<slot>[a-z_]+-[0-9]+)\.lock")
_SLOTS_MAX: Final = 1024  # of one kind of process


class Slot:
    """One that this process holds. ``name`` is such as ``ws_server-0``."""

    def __init__(self, folder: Path, name: str, lock: int) -> None:
        self.name = name
        self._folder = folder
        self._lock = lock
        self._writing = threading.Lock()

    def read(self) -> bytes | None:
        """What was written last, also by the process that held it before; ``None`` where nothing was."""
        return _read(self._folder / f"{self.name}.json")

    def write(self, data: bytes) -> None:
        """Readers get the former numbers or these, whole. Raises OSError."""
        made = self._folder / f"{self.name}.new"
        with self._writing:
            with open(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(data)
            made.replace(self._folder / f"{self.name}.json")

    def others(self) -> Iterator[tuple[str, bytes, bool]]:
        """Of each other slot its name, what was written last, and whether a process holds it. Raises OSError."""
        with _locked(self._folder):
            found = [
                (name, _is_held(self._folder, name)) for name in _names(self._folder) if name != self.name
            ]
        for name, is_held in found:
            data = _read(self._folder / f"{name}.json")
            if data is not None:
                yield name, data, is_held

    def is_there(self) -> bool:
        """Whether others can find it: not after somebody has deleted the folder. Raises OSError."""
        try:
            return os.path.samestat(os.stat(self._folder / f"{self.name}.lock"), os.fstat(self._lock))
        except FileNotFoundError:
            return False

    def close(self) -> None:
        os.close(self._lock)


def take_slot(folder: Path, process: str) -> Slot:
    """The first free slot for a process of that name. Raises OSError."""
    folder.mkdir(mode=0o700, exist_ok=True)
    with _locked(folder):
        if not any(_is_held(folder, name) for name in _names(folder)):
            for path in folder.iterdir():
                with suppress(OSError):
                    path.unlink()
        for number in range(_SLOTS_MAX):
            name = f"{process}-{number}"
            lock = os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
            else:
                return Slot(folder, name, lock)
    raise OSError(f"{folder} has no free slot")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """While nobody else takes a slot, or looks which are held: to look at one takes it for a moment."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _names(folder: Path) -> list[str]:
    return sorted(found["slot"] for path in folder.iterdir() if (found := _LOCK.fullmatch(path.name)))


def _is_held(folder: Path, name: str) -> bool:
    try:
        descriptor = os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
