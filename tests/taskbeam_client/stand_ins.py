"""What answers in a server's place: bytes that a test gives, over HTTP and to WebSocket handshakes."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

Answer = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


class StandIn:
    """One request a connection. ``answers`` are given in turn, the last one from then on.

    Attributes:
        requests: the bodies of the requests that came, decoded; ``None`` where there was none.
        pause: while it is cleared, answers wait.
    """

    def __init__(self, answers: list[Answer]) -> None:
        self.answers = answers
        self.requests: list[Any] = []
        self.asked = asyncio.Event()
        self.pause = asyncio.Event()
        self.pause.set()
        self.port = 0
        self._serving: set[asyncio.Task[None]] = set()

    async def end(self) -> None:
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
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
async def stand_in(*answers: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[StandIn]:
    standing = StandIn(list(answers))
    server = await asyncio.start_server(standing.accept, "127.0.0.1", 0, ssl=tls)
    standing.port = server.sockets[0].getsockname()[1]
    try:
        yield standing
    finally:
        server.close()
        await standing.end()


def http(status: int, body: object = b"", **headers: str) -> bytes:
    """A whole answer; a body that is no bytes is sent as JSON."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(text)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + text


def tokens(number: int) -> bytes:
    """The answer to a refresh of a gateway that rotates."""
    return http(200, {"access": f"access {number}", "refresh": f"refresh {number}"})
