"""A WebSocket connection that knows when bytes last came, whole messages or not."""

from __future__ import annotations

import time
from typing import Any, Final

from websockets.asyncio.client import ClientConnection

_PROGRESS_BYTES: Final = 128


class WebSocket(ClientConnection):
    """Attributes, in seconds of ``time.monotonic()``:

    last_received: when bytes last came, be it a ping.
    last_progress: when more than pings came. A server that sends a ping every 20 s, of some bytes, and nothing else makes
        no progress.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.last_received = self.last_progress = time.monotonic()
        self._bytes = 0

    def data_received(self, data: bytes) -> None:
        self.last_received = time.monotonic()
        self._bytes += len(data)
        if self._bytes >= _PROGRESS_BYTES:
            self.last_progress, self._bytes = self.last_received, 0
        super().data_received(data)
