"""A fake server: it answers HTTP requests and WebSocket handshakes with the bytes that a test gives it."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

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
        self._serving: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        task.add_done_callback(
            lambda _: writer.transport.abort()
        )  # a task that never began has closed nothing
        self._serving.add(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await self._answer(reader, writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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
    server = await asyncio.start_server(fake.accept, "127.0.0.1", 0, ssl=tls)
    fake.port = server.sockets[0].getsockname()[1]
    try:
        yield fake
    finally:
        server.close()
        await fake.close()


def http(status: int, body: object = b"", **headers: str) -> bytes:
    """A whole answer; a body that is no bytes is sent as JSON."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(text)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + text


def tokens(number: int) -> bytes:
    """The answer to a refresh of a gateway that rotates."""
    return http(200, {"access": f"access {number}", "refresh": f"refresh {number}"})
