"""Requests that have been answered leave nothing behind that only the garbage collector would free."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import NoReturn

import h11
import pytest
import uvloop
from websockets.http11 import Request, Response

from tests.support.waiting import until
from ws_server.deadlines import Deadlines
from ws_server.http_answers import answer
from ws_server.http_port import HttpConnection, HttpPort
from ws_server.open_sockets import OpenSockets

REQUESTS = [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /later HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"no HTTP\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nA: \x01\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 20_000,
]


def _no_socket(transport: asyncio.Transport, opened: float, request_id: str, data: bytes) -> NoReturn:
    raise AssertionError("no request here is an upgrade")


def _answer(request: Request) -> Response | Awaitable[Response]:
    async def later() -> Response:
        await asyncio.sleep(0)
        return answer(HTTPStatus.OK, {})

    return later() if request.path == "/later" else answer(HTTPStatus.OK, {})


def _alive() -> int:
    return sum(isinstance(item, HttpConnection | h11.Connection) for item in gc.get_objects())


async def _talk(port: int) -> None:
    for request in REQUESTS:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        assert b"HTTP/1.1 " in await reader.read()
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_what_has_been_answered_is_freed(loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def test() -> None:
        port = HttpPort(OpenSockets(Deadlines()), _answer, _no_socket, 5.0)
        server = await asyncio.get_running_loop().create_server(port, "127.0.0.1", 0)
        gc.collect()
        gc.disable()
        try:
            before = _alive()
            for _ in range(10):
                await _talk(server.sockets[0].getsockname()[1])
            await until(lambda: not port.connections, 5, "all have ended")
            await asyncio.sleep(0)
            assert _alive() <= before + 1
        finally:
            gc.enable()
            server.close()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(test())
