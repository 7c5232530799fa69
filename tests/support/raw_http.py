"""Sends raw bytes to a port, and parses the response strictly (h11)."""

from __future__ import annotations

import contextlib
import json
import socket
from dataclasses import dataclass
from typing import Any

import h11


@dataclass(frozen=True)
class RawAnswer:
    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes
    rest: bytes  # bytes after the response

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def exchange(port: int, *pieces: bytes, end: bool = False, timeout: float = 10.0) -> bytes:
    """Send the pieces in turn, then read until the server closes.

    Args:
        end: shut down our side of the connection after the last piece.

    Raises:
        TimeoutError: the server does not close.
        ConnectionResetError: the server resets the connection.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            with contextlib.suppress(
                BrokenPipeError
            ):  # the server has closed; its response can still be read
                connection.sendall(piece)
        if end:
            connection.shutdown(socket.SHUT_WR)
        received = b""
        while data := connection.recv(65536):
            received += data
        return received


def parsed(received: bytes, method: str = "GET") -> RawAnswer:
    """The first response in ``received``. Raises h11.RemoteProtocolError where it is malformed or truncated."""
    parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=2**20)
    parser.send(h11.Request(method=method, target="/", headers=[("Host", "x"), ("Upgrade", "websocket")]))
    parser.send(h11.EndOfMessage())
    parser.receive_data(received)
    parser.receive_data(b"")
    head = parser.next_event()
    assert isinstance(head, h11.Response | h11.InformationalResponse), head
    body = b""
    if isinstance(head, h11.Response):
        while isinstance(event := parser.next_event(), h11.Data):
            body += event.data
        assert isinstance(event, h11.EndOfMessage), event
    headers = {name.decode(): value.decode("latin-1") for name, value in head.headers}
    return RawAnswer(head.status_code, headers, body, parser.trailing_data[0])


def ask(port: int, *pieces: bytes, method: str = "GET", end: bool = False) -> RawAnswer:
    """The first response of an ``exchange``."""
    return parsed(exchange(port, *pieces, end=end), method)
