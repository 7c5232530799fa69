"""WebSocket connections of the load generator: picows, whose compiled parser keeps the load from being the limit."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, Final

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks.closed_loop import UnexpectedAnswer
from benchmarks.http_load import LOST

_CONNECTING_AT_ONCE: Final = 64
_ANSWER_SECONDS: Final = 60.0
_UUID: Final = re.compile(rb'"uuid":"([^"]+)"')


class Client(WSListener):
    """A connection. Its user sets ``on_answer``, which gets every text frame.

    ``tasks``: ids of tasks that requests are made for.
    """

    transport: WSTransport
    on_answer: Callable[[Any, bytes], None]
    sent: float

    def __init__(self) -> None:
        self.on_answer = _ignore
        self.sent = 0.0
        self.closed = False
        self.tasks: list[str] = []

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.TEXT:
            self.on_answer(self, frame.get_payload_as_bytes())
        elif frame.msg_type is WSMsgType.CLOSE:
            self.closed = True
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.closed = True
        self.on_answer(self, LOST)

    def send(self, request: bytes) -> None:
        self.transport.send(WSMsgType.TEXT, request)

    async def ask(self, request: bytes) -> bytes:
        """Send one request and wait for the next frame, whatever it is. Raises TimeoutError."""
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def take(_: Client, frame: bytes) -> None:
            self.on_answer = _ignore
            if not answer.done():
                answer.set_result(frame)

        self.on_answer = take
        self.sent = perf_counter()
        self.send(request)
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await answer

    def close(self) -> None:
        self.on_answer = _ignore
        self.transport.disconnect()


def _ignore(_: Client, __: bytes) -> None:
    """Ignore the frame."""


async def connect(url: str, token: str, *, push: bool = True, source: str | None = None) -> Client:
    """An authenticated connection, from the address ``source`` if one is given. Raises UnexpectedAnswer."""
    options: dict[str, Any] = {} if source is None else {"local_addr": (source, 0)}
    _, client = await ws_connect(Client, url, websocket_handshake_timeout=_ANSWER_SECONDS, **options)
    assert isinstance(client, Client)
    answer = await client.ask(
        b'{"type":"auth","token":"%b","push":%b}' % (token.encode(), b"true" if push else b"false")
    )
    if b'"type":"auth"' not in answer:
        raise UnexpectedAnswer(answer[:300])
    return client


async def connect_all(
    url: str, tokens: Sequence[str], *, push: bool = True, source: str | None = None
) -> list[Client]:
    """A connection for each token; a bounded number of them open at a time."""
    gate = asyncio.Semaphore(_CONNECTING_AT_ONCE)

    async def one(token: str) -> Client:
        async with gate:
            return await connect(url, token, push=push, source=source)

    return await asyncio.gather(*[one(token) for token in tokens])


def uuids(frame: bytes) -> list[str]:
    """The ids of the tasks in a frame, in order."""
    return [found.decode() for found in _UUID.findall(frame)]
