"""Clients for tests that break connections: a request is answered, or raises ``AnswerLost``.

Both connect when they need to, and again after a connection was lost. Neither sends a request twice.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import websockets
from websockets.asyncio.client import ClientConnection

from tests.support import api_documents
from tests.support.clients import Answer
from tests.support.processes import System

ANSWER_SECONDS: Final = 20.0
"""A request that takes longer raises TimeoutError."""
_OPEN_SECONDS: Final = 20.0
_OPEN_PAUSE: Final = 0.03

Json = dict[str, Any]
T = TypeVar("T")


class AnswerLost(Exception):
    """The connection ended before the answer, so the outcome is unknown. ``code``: the close code; 1006 for none."""

    def __init__(self, code: int = 1006) -> None:
        super().__init__(f"connection lost ({code})")
        self.code = code


async def _connect_with_retries(
    try_once: Callable[[], Awaitable[T]], failures: tuple[type[Exception], ...]
) -> T:
    """Connect, again and again until the server answers."""
    async with asyncio.timeout(_OPEN_SECONDS):
        while True:
            try:
                return await try_once()
            except failures:
                await asyncio.sleep(_OPEN_PAUSE)


class ReconnectingRest:
    """One keep-alive connection to the gateway. Unlike common HTTP clients, it never repeats a lost DELETE."""

    def __init__(self, system: System, token: str | None) -> None:
        self._host, self._port = system.host, system.gateway.port
        self._token = token
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Raises AnswerLost."""
        content = b"" if body is None else json.dumps(body).encode()
        lines = [
            f"{method} {path} HTTP/1.1",
            "Host: localhost",
            "Content-Type: application/json",
            f"Content-Length: {len(content)}",
            *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
        ]
        if self._token is not None:
            lines.append(f"Authorization: Bearer {self._token}")
        reader, writer = await self.open()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                writer.write("\r\n".join([*lines, "", ""]).encode() + content)
                await writer.drain()
                answer = await _read_answer(reader, method, path)
        except (OSError, asyncio.IncompleteReadError) as error:
            if isinstance(error, TimeoutError):
                raise
            self.abort()
            raise AnswerLost from error
        if answer.headers.get("connection") == "close":
            self.abort()
        return answer

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            self._streams = await _connect_with_retries(self._connect, (ConnectionError,))
        return self._streams

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(sock=await self._host.connect(self._port))

    def abort(self) -> None:
        """Reset the connection, with a request on its way or not."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None

    async def close(self) -> None:
        self.abort()


async def _read_answer(reader: asyncio.StreamReader, method: str, path: str) -> Answer:
    """One response to that request; header names in lower case."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = (line.partition(":") for line in head[1:] if line)
    headers = {name.lower(): value.strip() for name, _, value in fields}
    text = await reader.readexactly(int(headers.get("content-length", 0)))
    status = int(head[0].split()[1])
    api_documents.documents.openapi.check(method, path, status, headers, text)
    return Answer(status, json.loads(text) if text else None, headers)


class ReconnectingSocket:
    """One WebSocket of a user. Asserts that the changes that it receives have no gap."""

    def __init__(self, system: System, token: str, *, push: bool = True) -> None:
        self._url, self._host, self._port = system.ws_url, system.host, system.ws.port
        self._auth = {"type": "auth", "token": token, "push": push}
        self._push = push
        self._ids = itertools.count(1)
        self._socket: ClientConnection | None = None
        self._seq = 0

    async def ask(self, message: Json) -> Json:
        """Raises AnswerLost."""
        socket = await self.open()
        try:
            return await self._ask(socket, message)
        except websockets.ConnectionClosed as closed:
            self._socket = None
            raise AnswerLost(1006 if closed.rcvd is None else closed.rcvd.code) from closed

    async def _ask(self, socket: ClientConnection, message: Json) -> Json:
        request_id = next(self._ids)
        async with asyncio.timeout(ANSWER_SECONDS):
            await socket.send(json.dumps({**message, "id": request_id}))
            while True:
                frame: Json = json.loads(await socket.recv())
                api_documents.documents.asyncapi.check(frame)
                self._check_seq(frame)
                if frame.get("id") == request_id:
                    return frame

    def _check_seq(self, frame: Json) -> None:
        if frame["type"] == "auth":
            self._seq = frame["seq"]
        for change in frame["results"] if frame["type"] == "batch" else (frame,):
            if change.get("mode") in ("create", "update", "delete") and "seq" in change:
                expected = self._seq + 1
                assert change["seq"] == expected or not self._push, f"after {expected - 1} came {change}"
                self._seq = change["seq"]

    async def open(self) -> ClientConnection:
        if self._socket is None:
            failures = (
                OSError,
                websockets.InvalidHandshake,
                websockets.ConnectionClosed,
                _DatabaseUnavailable,
            )
            self._socket = await _connect_with_retries(self._connect, failures)
        return self._socket

    async def _connect(self) -> ClientConnection:
        socket = await websockets.connect(
            self._url,
            sock=await self._host.connect(self._port),
            max_size=None,
            compression=None,
            ping_interval=None,
            close_timeout=2,
            proxy=None,
        )
        welcome = await self._ask(socket, self._auth)
        if welcome.get("code") == "unavailable":
            await socket.close()
            raise _DatabaseUnavailable
        assert welcome["type"] == "auth", welcome
        return socket

    @property
    def local_port(self) -> int:
        """The client's port, by which the worker that serves it is found."""
        assert self._socket is not None
        port: int = self._socket.local_address[1]
        return port

    def abort(self) -> None:
        """Reset the connection, with a request on its way or not."""
        if self._socket is not None:
            self._socket.transport.abort()

    async def close(self) -> None:
        if self._socket is not None:
            await self._socket.close()
            self._socket = None


class _DatabaseUnavailable(Exception):
    """The server answers, its database does not."""
