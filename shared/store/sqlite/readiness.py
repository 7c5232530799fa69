"""Whether the database can be read and written now, for the readiness probes."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Final

from shared.errors import Unavailable
from shared.store.batching import Batcher
from shared.store.sqlite.group_commit import GroupCommit
from shared.store.sqlite.meta import read_epoch, try_writing
from shared.store.sqlite.readers import ThreadReader
from shared.store.sqlite.transaction import Work

_ROOM_BYTES: Final = 1024 * 1024  # with less, a write is tried
_TRY_SECONDS: Final = 1.0


class Readiness:
    """Reads at every check. Tries a write only where it may fail, at most once a second.

    Args:
        folder: the database's folder.
        reader: a reader of the database.
        writes: the batcher of the writer.
        group_commit: the writer's; it knows whether its last commit failed.
    """

    def __init__(
        self, folder: Path, reader: ThreadReader, writes: Batcher[Work], group_commit: GroupCommit
    ) -> None:
        self._folder = folder
        self._reader = reader
        self._writes = writes
        self._group_commit = group_commit
        self._trying: asyncio.Future[None] | None = None
        self._tried = 0.0

    async def check(self) -> None:
        """Raises Unavailable where the database cannot be read or written."""
        await self._reader.submit(read_epoch)
        if self._group_commit.failure is not None or not self._has_room():
            await self._try_to_write()

    def _has_room(self) -> bool:
        try:
            state = os.statvfs(self._folder)
        except OSError as error:
            raise Unavailable(f"cannot look at {self._folder}: {error.strerror}") from error
        return not state.f_flag & os.ST_RDONLY and state.f_bavail * state.f_frsize >= _ROOM_BYTES

    async def _try_to_write(self) -> None:
        """Try a write. All calls within a second share one try."""
        now = asyncio.get_running_loop().time()
        if self._trying is None or (self._trying.done() and now - self._tried >= _TRY_SECONDS):
            self._tried = now
            self._trying = self._writes.submit(try_writing)
            self._trying.add_done_callback(lambda trying: trying.cancelled() or trying.exception())
        await asyncio.shield(self._trying)
