"""A copy of the database while it is served, as one file that needs nothing beside it."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from shared.errors import Unavailable
from shared.store.copies import CopyFailed, Progress
from shared.store.sqlite.check import connect_beside
from shared.store.sqlite.database_path import DatabasePath
from shared.store.sqlite.integrity import find_faults
from shared.store.sqlite.ownership import require_ours

_PAGES_AT_ONCE: Final = 1024  # between two reports of progress
_NAMED_MAX: Final = 3  # faults in the one line


def back_up(given: Path, to: Path, *, replace: bool, progress: Progress) -> None:
    """Copy the database to ``to``: as it is at one moment, checked, on the disk, with mode 0600.

    Nobody waits: writers append to the log meanwhile, which cannot start anew until the copy is made. It is read through
    a connection like any other, which neither writes nor checkpoints.

    Args:
        replace: whether a file that is there may be replaced.

    Raises:
        CopyFailed: nothing was made, and what was there is still there.
    """
    path = DatabasePath(given)
    with in_one_line(f"no backup in {to}"):
        _require_database(path)
        if to.resolve() in (path.real, path.wal, path.shm):
            raise CopyFailed(f"{to} is the database itself")
        if to.exists() and not replace:
            raise CopyFailed(f"{to} exists already")
        with beside(to) as copy, closing(connect_beside(path.real)) as source:
            copy_database(source, copy, progress)
            require_sound(copy)
            if not replace and to.exists():
                raise CopyFailed(f"{to} exists already")
            os.replace(copy, to)
            sync_folder(to.parent)


def _require_database(path: DatabasePath) -> None:
    if not path.real.is_file() or not (path.real.stat().st_size or path.wal.exists()):
        raise CopyFailed(f"there is no database {path.given}")
    require_ours(path)


@contextmanager
def in_one_line(what: str) -> Iterator[None]:
    """Whatever goes wrong with files and databases is a CopyFailed that begins with these words."""
    try:
        yield
    except OSError as error:
        raise CopyFailed(f"{what}: {error.strerror or error}") from error
    except sqlite3.Error as error:
        raise CopyFailed(f"{what}: {error}") from error
    except Unavailable as error:
        raise CopyFailed(error.reason) from error


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A new file of our own in the same file system, gone at the end with all that SQLite makes beside it."""
    with tempfile.TemporaryDirectory(
        dir=path.parent, prefix=f".{path.name}-", ignore_cleanup_errors=True
    ) as folder:
        copy = Path(folder, "copy")
        os.close(os.open(copy, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        yield copy


def copy_database(source: sqlite3.Connection, copy: Path, progress: Progress) -> None:
    """Copy what the connection sees now into an empty file, without a log of its own, and onto the disk."""
    source.execute("BEGIN")
    source.execute("SELECT count(*) FROM meta").fetchone()  # from here on one state, however long it takes
    with closing(sqlite3.connect(copy, isolation_level=None)) as target:
        target.execute("PRAGMA synchronous = OFF")  # it is synchronised at the end, all at once
        source.backup(
            target,
            pages=_PAGES_AT_ONCE,
            progress=lambda _, left, all_: progress(all_ - left, all_),
            sleep=0.01,
        )
        target.execute("PRAGMA journal_mode = DELETE")
    source.execute("COMMIT")
    sync_file(copy)


def require_sound(copy: Path) -> None:
    """Raises CopyFailed."""
    with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        faults = list(find_faults(connection))
    if faults:
        more = f", and {len(faults) - _NAMED_MAX} more" if len(faults) > _NAMED_MAX else ""
        raise CopyFailed(f"the copy is not sound: {'; '.join(faults[:_NAMED_MAX])}{more}")


def sync_file(path: Path) -> None:
    """Have its content on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Have the names in it on the disk."""
    sync_file(folder)
