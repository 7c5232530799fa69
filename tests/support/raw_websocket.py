"""A WebSocket client on a plain socket: it can send bytes that no correct client sends."""

from __future__ import annotations

import base64
import json
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from tests.support import api_documents
from tests.support.processes import System

TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA
CONTINUATION: Final = 0x0
KEEP_ALIVE: Final = bytes([0x80 | PING, 0])


def client_frame(opcode: int, payload: bytes, *, final: bool = True) -> bytes:
    """The bytes of a masked frame."""
    mask = os.urandom(4)
    if len(payload) < 126:
        length = struct.pack("!B", 0x80 | len(payload))
    elif len(payload) < 2**16:
        length = struct.pack("!BH", 0x80 | 126, len(payload))
    else:
        length = struct.pack("!BQ", 0x80 | 127, len(payload))
    repeated = (mask * (len(payload) // 4 + 1))[: len(payload)]
    masked = (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(len(payload), "big")
    return bytes([0x80 * final | opcode]) + length + mask + masked


class RawSocket:
    """One TCP connection to the WebSocket port; every wait is bounded by ``timeout``."""

    def __init__(self, system: System, *, timeout: float = 10.0, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        self.socket.settimeout(timeout)
        if receive_buffer is not None:  # before connecting: the TCP window grows at once
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect(("127.0.0.1", system.ws.port))
        self._received = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def handshake(self, path: str = "/ws/tasks/", **headers: str) -> int:
        """Send the upgrade request; returns the status of the response."""
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {path} HTTP/1.1",
            "Host: localhost",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
        ]
        self.send("\r\n".join([*lines, "", ""]).encode())
        while b"\r\n\r\n" not in self._received:
            self._receive()
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        return int(head.split()[1])

    def send_frame(self, opcode: int, payload: bytes, *, final: bool = True) -> None:
        self.send(client_frame(opcode, payload, final=final))

    def send_json(self, message: object) -> None:
        self.send_frame(TEXT, json.dumps(message).encode())

    def receive_frame(self) -> tuple[int, bytes]:
        """Opcode and payload of the next frame. Keep-alive pings are skipped, and not answered.

        Raises:
            ConnectionError: the server has closed the connection.
        """
        while (start := self._take(2)) == KEEP_ALIVE:
            pass
        first, second = start
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", self._take(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self._take(8))
        return first & 0x0F, self._take(length)

    def receive_json(self) -> dict[str, Any]:
        opcode, payload = self.receive_frame()
        assert opcode == TEXT, (opcode, payload)
        frame: dict[str, Any] = json.loads(payload)
        api_documents.documents.asyncapi.check(frame)
        return frame

    def close_code(self) -> int:
        """Skip frames up to the close frame; returns its code."""
        while True:
            opcode, payload = self.receive_frame()
            if opcode == CLOSE:
                code: int = struct.unpack("!H", payload[:2])[0]
                return code

    def _take(self, count: int) -> bytes:
        while len(self._received) < count:
            self._receive()
        taken, self._received = self._received[:count], self._received[count:]
        return taken

    def _receive(self) -> None:
        data = self.socket.recv(2**16)
        if not data:
            raise ConnectionError("the server has closed the TCP connection")
        self._received += data


@contextmanager
def raw_socket(
    system: System, token: str | None = None, *, receive_buffer: int | None = None
) -> Iterator[RawSocket]:
    """An open WebSocket; authenticated when there is a token."""
    raw = RawSocket(system, receive_buffer=receive_buffer)
    try:
        assert raw.handshake() == 101
        if token is not None:
            raw.send_json({"type": "auth", "token": token})
            assert raw.receive_json()["type"] == "auth"
        yield raw
    finally:
        raw.socket.close()
