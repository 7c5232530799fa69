"""The path of the database, and of the files beside it."""

from __future__ import annotations

import errno
import glob
import os
import stat
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote


def file_of(url: str) -> Path:
    """The file that a `sqlite:///relative` or `sqlite:////absolute` URL names."""
    return Path(unquote(url.removeprefix("sqlite:///")))


class DatabasePath:
    """The real path of the database, so that a symbolic link to it does not get a second set of files beside it.

    ``given`` may contain links; ``real`` is absolute and contains none.
    """

    def __init__(self, given: Path) -> None:
        self.given = given
        self.real = Path(os.path.realpath(given))
        self.wal = self.beside("-wal")
        self.shm = self.beside("-shm")
        self.lock = self.beside("-lock")

    def beside(self, suffix: str) -> Path:
        """The path of a file beside the database, named like SQLite's."""
        return self.real.with_name(self.real.name + suffix)

    def make_private_file(self) -> None:
        """Folders 0700 and the file 0600; SQLite gives its side files the mode of the file.

        One that is there is not opened: closing it again would take away this process's locks on it.

        Raises:
            OSError: it cannot be made, or is not a file that this process may read and write.
        """
        for folder in reversed(self.real.parents):
            if not folder.exists():
                folder.mkdir(mode=0o700, exist_ok=True)
        with suppress(FileExistsError):
            os.close(os.open(self.real, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        mode = self.real.stat().st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "not a regular file")
        if not os.access(self.real, os.R_OK | os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    def set_log_aside(self) -> Path:
        """Rename a log that does not belong to the database, so that SQLite does not apply it. Returns its new path."""
        number = 1
        while (aside := self.beside(f"-wal.{number}")).exists():
            number += 1
        os.rename(self.wal, aside)
        return aside

    def logs_set_aside(self) -> list[Path]:
        return list(self.real.parent.glob(glob.escape(self.wal.name) + ".*"))
