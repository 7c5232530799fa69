"""Where the database is, and the names of all that stands beside it."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from urllib.parse import unquote


def file_of(url: str) -> Path:
    """The file that a `sqlite:///relative` or `sqlite:////absolute` URL names."""
    return Path(unquote(url.removeprefix("sqlite:///")))


class DatabasePath:
    """The real file behind the path that was given: a link to it must not give it a second set of side files.

    ``given`` may be a link; ``real`` is absolute, and no part of it is one.
    """

    def __init__(self, given: Path) -> None:
        self.given = given
        self.real = Path(os.path.realpath(given))
        self.wal = self.beside("-wal")
        self.shm = self.beside("-shm")
        self.lock = self.beside("-lock")

    def beside(self, suffix: str) -> Path:
        """SQLite's way of naming side files, and ours."""
        return self.real.with_name(self.real.name + suffix)

    def set_log_aside(self) -> Path:
        """Keep a log that does not belong to the database, under a name that SQLite does not look for."""
        number = 1
        while (aside := self.beside(f"-wal.{number}")).exists():
            number += 1
        os.rename(self.wal, aside)
        return aside

    def logs_set_aside(self) -> list[Path]:
        return list(self.real.parent.glob(glob.escape(self.wal.name) + ".*"))
