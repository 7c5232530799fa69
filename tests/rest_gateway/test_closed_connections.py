"""Connections that are gone leave nothing behind: no cycles that only the garbage collector would free."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from rest_gateway.connection import Connection
from rest_gateway.limited_connection import end_output
from tests.rest_gateway.in_process import Gateway, gateway
from tests.support.raw_http import ask
from tests.support.waiting import until

TIMES = 20
PROBE = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.fixture
def without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _requests(open_gateway: Gateway) -> dict[str, bytes]:
    body = json.dumps({"task": "x"}).encode()
    bearer = f"Host: x\r\nAuthorization: Bearer {open_gateway.access}\r\n".encode()
    get = b"GET / HTTP/1.1\r\n" + bearer + b"\r\n"
    head = b"POST / HTTP/1.1\r\n" + bearer + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    chunked = head.replace(b"Content-Length: %d", b"Transfer-Encoding: chunked")
    return {
        "nothing": b"",
        "kept alive": get * 2,
        "the last one": get.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
        "a write": head % len(body) + body,
        "half a head": get[:30],
        "half a body": head % 100 + body,
        "a bad chunk": chunked + b"zz\r\n",
        "no HTTP": b"\x00\r\n\r\n",
        "refused": b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n",
        "events": get.replace(b"GET / ", b"GET /events/ "),
    }


def _talk(port: int, data: bytes, *, reset: bool) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(data)
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            connection.settimeout(0.02)
            with contextlib.suppress(TimeoutError):
                connection.recv(65536)


def _alive() -> int:
    return sum(isinstance(known, Connection) for known in gc.get_objects())


@pytest.mark.usefixtures("without_collector")
@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
async def test_a_closed_connection_is_freed_at_once(tmp_path: Path, reset: bool) -> None:
    async with gateway(tmp_path) as open_gateway:
        for name, data in _requests(open_gateway).items():
            for _ in range(TIMES):
                await asyncio.to_thread(_talk, open_gateway.port, data, reset=reset)
            await asyncio.to_thread(ask, open_gateway.port, PROBE)  # so that all before it were accepted
            await until(lambda: _alive() == 0, 5, f"{name}: all are freed")


async def test_a_peer_that_has_reset_the_connection_is_no_error_when_our_side_is_closed() -> None:
    """In the loop's turn in which the reset arrives, the transport does not know of it yet."""
    loop = asyncio.get_running_loop()
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()) as peer,
    ):
        accepted, _ = listening.accept()
        protocol = asyncio.Protocol()
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, accepted)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        end_output(transport)
        assert transport.is_closing()
