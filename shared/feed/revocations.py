"""The revocations of all processes, handed on from their log, each once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from shared.errors import Unavailable
from shared.feed import FeedListener
from shared.feed.carrier import Carrier
from shared.feed.outages import Outage
from shared.feed.source import Source

_RETRY_SECONDS: Final = 0.2  # after a read that failed


class RevocationReader:
    """Reads when it is told to ``look``.

    Args:
        carrier: tells the others of this process's.
        position: of the newest that was read.
        listeners: who hears of them; their owner adds to them.
        outage: of the database.
    """

    def __init__(
        self,
        source: Source,
        carrier: Carrier | None,
        position: int,
        listeners: Sequence[FeedListener],
        outage: Outage,
    ) -> None:
        self._source = source
        self._carrier = carrier
        self._position = position
        self._listeners = listeners
        self._outage = outage
        self._wanted = asyncio.Event()
        self._may_be_own = False  # the next that are found

    def look(self, *, may_be_own: bool = False) -> None:
        """``may_be_own``: this process has committed something that may be one."""
        self._may_be_own = self._may_be_own or may_be_own
        self._wanted.set()

    async def run(self) -> None:
        """Until cancelled; to be run as one supervised task."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            own, self._may_be_own = self._may_be_own, False
            try:
                revocations, position = await self._source.revocations(self._position)
            except Unavailable as error:
                self._outage.begin(error.reason)
                await asyncio.sleep(_RETRY_SECONDS)
                self.look(may_be_own=own)
                continue
            self._outage.end()
            self._position = max(self._position, position)
            if revocations:
                if own and self._carrier is not None:
                    self._carrier.publish_revocations()
                for listener in self._listeners:
                    listener.on_revocations(revocations)
                self._wanted.set()  # there may be another page
