"""The file of the key that signs tokens: made once, and looked at as long as it is in use."""

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

_LOOK_SECONDS: Final = 1.0
_PATIENCE_SECONDS: Final = 2.0  # for another process to put a deleted file back

log = logging.getLogger(__name__)


def fingerprint(key: str) -> str:
    """Tells keys apart, and nothing else about them."""
    return hashlib.sha256(b"taskbeam key\0" + key.encode()).hexdigest()[:32]


class KeyFile:
    """The key of one database's processes.

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
        """Read the key; the first process makes it, whichever that is.

        Args:
            expected: whether there was a key before. A process that runs puts it back where it was deleted, so it is
                waited for.

        Raises:
            OSError: the file cannot be read, or the folder not be written.
            ValueError: the file holds no key that can be used.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS if expected else 0):
                while not self.path.exists():  # noqa: ASYNC110 - a file has no event
                    await asyncio.sleep(_PATIENCE_SECONDS / 20)
        if not self.path.exists():
            self.was_made = self._put(secrets.token_urlsafe(48))
        self.key = self._read()

    async def watch(self) -> None:
        """Look every second until cancelled; to be run as one supervised task.

        Raises:
            Unavailable: the file holds another key now.
        """
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self.look()

    def look(self) -> None:
        """Put the file back where it was deleted: a process that starts would make another key.

        Raises:
            Unavailable: it holds another key now.
        """
        try:
            state = self.path.stat()
        except FileNotFoundError:
            with contextlib.suppress(OSError):  # no room, or no folder: the next look tries again
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
        """Whether it was this process that made the file.

        It appears with its whole content at once (a hard link either succeeds or finds the other process's file), so that
        processes that start together agree.
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
