"""Conversations that once failed. They are held again at each run, before the new ones."""

from __future__ import annotations

from typing import Final

from tests.fuzz.harness import Conversation

WEBSOCKET_PORT: Final = (
    Conversation("control character in a header", (b"GET / HTTP/1.1\r\nHost: x\r\nA: b\x01\r\n\r\n",)),
    Conversation("two requests in one segment", (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 2,)),
    Conversation("bytes behind a 404", (b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\nGARBAGE",)),
    Conversation(
        "bytes behind an upgrade",
        (
            b"GET /ws/tasks/ HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\nGARBAGE",
        ),
    ),
)

GATEWAY: Final = (
    Conversation("host without a port that is one", (b"GET /?limit=1 HTTP/1.1\r\nHost: a:99999\r\n\r\n",)),
)
