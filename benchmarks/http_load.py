"""HTTP connections of the load generator: keep-alive, one request in flight, only answers with a length."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any, Final, cast

_ANSWER_SECONDS: Final = 60.0
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_NO_BODY: Final = (b"204", b"304")
LOST: Final = b"the connection was lost"


class HttpClient(asyncio.Protocol):
    """A connection. Its user sets ``on_answer``, which gets every complete answer, head and body."""

    transport: asyncio.Transport
    on_answer: Callable[[Any, bytes], None]
    sent: float

    def __init__(self) -> None:
        self.on_answer = _ignore
        self.sent = 0.0
        self._buffer = b""
        self._whole = 0  # length of the current answer; 0 until its head is complete

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        whole = self._whole or answer_length(buffer)
        if whole and len(buffer) >= whole:
            self._buffer, self._whole = b"", 0
            self.on_answer(self, buffer)
        else:
            self._buffer, self._whole = buffer, whole

    def connection_lost(self, error: Exception | None) -> None:
        self.on_answer(self, LOST)

    def send(self, request: bytes) -> None:
        self.transport.write(request)

    async def ask(self, request: bytes) -> bytes:
        """Send one request and wait for its answer. Raises TimeoutError."""
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def take(_: HttpClient, whole: bytes) -> None:
            self.on_answer = _ignore
            answer.set_result(whole)

        self.on_answer = take
        self.send(request)
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await answer

    def close(self) -> None:
        self.on_answer = _ignore
        self.transport.close()


def _ignore(_: HttpClient, __: bytes) -> None:
    """Ignore the answer."""


async def connect(port: int, count: int) -> list[HttpClient]:
    loop = asyncio.get_running_loop()
    return [(await loop.create_connection(HttpClient, "127.0.0.1", port))[1] for _ in range(count)]


def request(
    method: str, path: str, token: str | None = None, body: bytes = b"", scheme: str = "Bearer "
) -> bytes:
    """The bytes of a request; ``token`` follows ``scheme`` in the Authorization header."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    if token is not None:
        lines.append(f"Authorization: {scheme}{token}")
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def answer_length(answer: bytes) -> int:
    """Length of head and body; 0 until the head is complete. Raises ValueError for an answer without a length."""
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return 0
    found = _LENGTH.search(answer, 0, end + 2)
    if found is not None:
        return end + 4 + int(found[1])
    if answer[9:12] in _NO_BODY:
        return end + 4
    raise ValueError(f"an answer without a length: {answer[:end]!r}")


def body(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]
