"""The file of the key that signs tokens: made once, and checked as long as it is in use.

Its first line is that key. Former keys, with which tokens are still verified, follow on lines of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from shared.auth.signing_keys import KEY_RULE, is_usable
from shared.errors import Unavailable

_CHECK_SECONDS: Final = 1.0
_FORMER_MAX: Final = 3  # a token of an unknown key is tried with each
_WAIT_SECONDS: Final = 2.0  # for another process to put a deleted file back

log = logging.getLogger(__name__)


def read_keys(path: Path) -> tuple[str, ...]:
    """The key that signs, then the former ones.

    Raises:
        OSError: the file cannot be read.
        ValueError: it holds no key that can be used.
    """
    keys = path.read_text("utf-8").rstrip("\n").split("\n")  # an editor ends the last line, too
    if not all(map(is_usable, keys)):
        raise ValueError(f"{path} holds none, expected {KEY_RULE}")
    return tuple(keys)


def write_keys(path: Path, keys: Sequence[str], *, replace: bool) -> bool:
    """Make the file, with mode 0600 and its whole content at once; False: it is there, and is not to be replaced.

    Of processes that start together one makes it, and the others read that one. Raises OSError.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # mode 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write("\n".join(keys))
            file.flush()
            os.fsync(file.fileno())
        if replace:
            os.replace(name, path)
        else:
            os.link(name, path)
    except FileExistsError:
        return False
    finally:
        with contextlib.suppress(FileNotFoundError):  # it was renamed
            os.unlink(name)
    return True


def rotate_keys(path: Path, *, keep_former: bool) -> None:
    """Have another key sign from now on. Without ``keep_former`` all tokens end; with it the newest few former keys stay.

    Raises OSError, ValueError as ``read_keys``.
    """
    former = read_keys(path)[:_FORMER_MAX] if keep_former else ()
    write_keys(path, [new_key(), *former], replace=True)


def new_key() -> str:
    """One that nobody can guess."""
    return secrets.token_urlsafe(48)


def fingerprint(key: str) -> str:
    """A hash of a key that tells keys apart and reveals nothing else."""
    return hashlib.sha256(b"taskbeam key\0" + key.encode()).hexdigest()[:32]


class KeyFile:
    """The key that all processes of one database share.

    Attributes:
        keys: what was read: the key that signs, then the former ones; empty before ``open``.
        was_made: whether this process made the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None
        self.keys: tuple[str, ...] = ()
        self.was_made = False

    async def open(self, expected: bool) -> None:
        """Read the key; the first process that comes makes it.

        Args:
            expected: whether there was a key before. If the file was deleted, wait a moment: a process that runs puts
                it back.

        Raises:
            OSError: the file cannot be read, or the folder not be written.
            ValueError: the file holds no key that can be used.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_WAIT_SECONDS if expected else 0):
                while not self.path.exists():  # noqa: ASYNC110 - a file has no event
                    await asyncio.sleep(_WAIT_SECONDS / 20)
        if not self.path.exists():
            self.was_made = write_keys(self.path, [new_key()], replace=False)
        self.keys = read_keys(self.path)

    async def watch(self) -> None:
        """Check every second until cancelled; to be run as one supervised task.

        Raises:
            Unavailable: the file holds another key now.
        """
        while True:
            await asyncio.sleep(_CHECK_SECONDS)
            self.check()

    def check(self) -> None:
        """Put the file back if it was deleted: a process that starts would make another key.

        Raises:
            Unavailable: it holds another key now.
        """
        try:
            state = self.path.stat()
        except FileNotFoundError:
            with contextlib.suppress(OSError):  # no room, or no folder: the next check tries again
                if write_keys(self.path, self.keys, replace=False):
                    log.warning("%s was deleted, and is put back: it is the key of all tokens", self.path)
            return
        except OSError:
            return
        seen = (state.st_ino, state.st_mtime_ns, state.st_size)
        if seen == self._seen:
            return
        try:
            keys = read_keys(self.path)
        except (OSError, ValueError) as error:
            log.warning("the key that is in use cannot be read any more: %s", error)
        else:
            if keys != self.keys:
                raise Unavailable(
                    f"{self.path} holds another key now: this process ends, to be started with it"
                )
        self._seen = seen
