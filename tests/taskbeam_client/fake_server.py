"""A fake server: it answers HTTP requests and WebSocket handshakes with the bytes that a test gives it."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.support.stream_server import stream_server

Answer = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


class FakeServer:
    """Answers one request a connection, with ``answers`` in turn; the last one is repeated.

    Attributes:
        requests: the decoded bodies of the requests so far; ``None`` for a request without a body.
        pause: answers wait while it is cleared.
    """

    def __init__(self, answers: list[Answer]) -> None:
        self.answers = answers
        self.requests: list[Any] = []
        self.asked = asyncio.Event()
        self.pause = asyncio.Event()
        self.pause.set()
        self.port = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r")[0] or 0)
        body = await reader.readexactly(length)
        self.requests.append(json.loads(body) if body else None)
        self.asked.set()
        await self.pause.wait()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(answer):
            await answer(writer)
        else:
            writer.write(answer)
            await writer.drain()


@asynccontextmanager
async def fake_server(*answers: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[FakeServer]:
    fake = FakeServer(list(answers))
    async with stream_server(fake.answer, tls) as fake.port:
        yield fake


def http(status: int, body: object = b"", **headers: str) -> bytes:
    """A whole answer; a body that is no bytes is sent as JSON."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(text)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + text


def tokens(number: int) -> bytes:
    """The answer to a refresh of a gateway that rotates."""
    return http(200, {"access": f"access {number}", "refresh": f"refresh {number}"})
