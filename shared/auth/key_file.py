"""The file of the key that signs tokens: made once, and checked as long as it is in use."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import secrets
import tempfile
from pathlib import Path
from typing import Final

from shared.auth.signing_keys import KEY_RULE, is_usable
from shared.errors import Unavailable

_CHECK_SECONDS: Final = 1.0
_WAIT_SECONDS: Final = 2.0  # for another process to put a deleted file back

log = logging.getLogger(__name__)


def fingerprint(key: str) -> str:
    """A hash of a key that tells keys apart and reveals nothing else."""
    return hashlib.sha256(b"taskbeam key\0" + key.encode()).hexdigest()[:32]


class KeyFile:
    """The key that all processes of one database share.

    Attributes:
        key: what was read; empty before ``open``.
        was_made: whether this process made the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None
        self.key = ""
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
            self.was_made = self._put(secrets.token_urlsafe(48))
        self.key = self._read()

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
                if self._put(self.key):
                    log.warning("%s was deleted, and is put back: it is the key of all tokens", self.path)
            return
        except OSError:
            return
        seen = (state.st_ino, state.st_mtime_ns, state.st_size)
        if seen == self._seen:
            return
        try:
            key = self._read()
        except (OSError, ValueError) as error:
            log.warning("the key that is in use cannot be read any more: %s", error)
        else:
            if key != self.key:
                raise Unavailable(
                    f"{self.path} holds another key now: this process ends, to be started with it"
                )
        self._seen = seen

    def _put(self, key: str) -> bool:
        """Make the file; False: another process did first.

        The file appears with its whole content at once, as a hard link. Of processes that start together one makes it,
        and the others read that one.
        """
        descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=self.path.name)  # mode 0600
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(key)
                file.flush()
                os.fsync(file.fileno())
            os.link(name, self.path)
        except FileExistsError:
            return False
        finally:
            os.unlink(name)
        return True

    def _read(self) -> str:
        key = self.path.read_text("utf-8").removesuffix("\n").removesuffix("\r")  # as an editor leaves it
        if not is_usable(key):
            raise ValueError(f"{self.path} holds none, expected {KEY_RULE}")
        return key
