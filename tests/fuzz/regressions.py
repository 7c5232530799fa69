"""Conversations that failed once. Every run repeats them first."""

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

_POST: Final = b"POST /login/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"

GATEWAY: Final = (
    Conversation("host without a port that is one", (b"GET /?limit=1 HTTP/1.1\r\nHost: a:99999\r\n\r\n",)),
    Conversation(
        "a bad size of a later chunk",
        (_POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", b"zz\r\n"),
    ),
    Conversation("no gzip", (_POST + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",)),
    Conversation(
        "a media type that is no UTF-8",
        (_POST.replace(b"json", b"\xe9") + b"Content-Length: 5\r\n\r\nhello",),
    ),
    Conversation(
        "the end before the rest of a body that nobody reads",
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n", b"x"),
    ),
    Conversation(
        "asked for headers that are no UTF-8",
        (
            (
                b"OPTIONS / HTTP/1.1\r\nHost: x\r\nOrigin: http://localhost\r\nAccess-Control-Request-Method: PUT\r\n"
                b"Access-Control-Request-Headers: \xe9\r\n\r\n"
            ),
        ),
    ),
    Conversation(
        "a tunnel behind an upgrade",
        (
            b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
            + b"CONNECT h:80 HTTP/1.1\r\nHost: x\r\n\r\n",
        ),
    ),
)
