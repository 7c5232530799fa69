"""Waiting for the change feed to bring a change that is known to be committed."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any, Final

from shared.errors import Unavailable
from shared.feed import ChangeFeed
from ws_server.deadlines import Deadlines

_TIMEOUT_SECONDS: Final = 10.0


class FeedWait:
    """One wait, see ``ws_server.stream.Wait``. It makes the feed look at the log now."""

    __slots__ = ("_deadline", "_deadlines", "_future", "seq")

    def __init__(self, feed: ChangeFeed, deadlines: Deadlines, user_id: int, seq: int) -> None:
        self.seq = seq
        self._future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._deadlines = deadlines
        feed.look(user_id)
        self._deadline = deadlines.after(_TIMEOUT_SECONDS, self._time_out)

    def __await__(self) -> Generator[Any, None, None]:
        try:
            yield from self._future
        finally:
            self._deadlines.cancel(self._deadline)

    def wake(self) -> None:
        if not self._future.done():
            self._future.set_result(None)

    def _time_out(self) -> None:
        if not self._future.done():
            self._future.set_exception(Unavailable("the change feed does not move"))
