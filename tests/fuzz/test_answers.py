"""The fuzzer's check accepts well-formed responses, and nothing else."""

from __future__ import annotations

import pytest

from tests.fuzz.answers import Malformed, check

_OK = b"HTTP/1.1 200 OK\r\nX-Content-Type-Options: nosniff\r\nContent-Length: 2\r\n\r\nok"
_HEAD = b"HTTP/1.1 200 OK\r\nX-Content-Type-Options: nosniff\r\nContent-Length: 2\r\n\r\n"
_CHUNKED = b"HTTP/1.1 200 OK\r\nX-Content-Type-Options: nosniff\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
_UPGRADE = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
_STREAM = b"HTTP/1.1 200 OK\r\nX-Content-Type-Options: nosniff\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n: \r\n"


def _text(payload: bytes) -> bytes:
    return bytes([0x81, len(payload)]) + payload


@pytest.mark.parametrize(
    "received",
    [
        b"",
        _OK,
        _OK * 3,
        _CHUNKED + _OK,
        _HEAD,
        _HEAD + _OK,
        b"HTTP/1.1 100 Continue\r\n\r\n" + _OK,
        _STREAM,
        _OK.replace(b"200", b"404")
        .replace(b"ok", b"[]")
        .replace(b"X-", b"Content-Type: application/json\r\nX-"),
        _UPGRADE,
        _UPGRADE + _text(b'{"type": "pong"}') + b"\x88\x02\x03\xe8\x8a\x00",
    ],
)
def test_well_formed_response_is_accepted(received: bytes) -> None:
    check(received)


@pytest.mark.parametrize(
    "received",
    [
        b"garbage",
        _OK[:-1],
        _OK + b"x",
        _CHUNKED[:-3],
        b"HTTP/1.1 200 OK\r\nX-Content-Type-Options: nosniff\r\n\r\nno length",
        b"HTTP/1.1 200 OK\r\nX-Content-Type-Options: nosniff\r\nA: b\0\r\nContent-Length: 0\r\n\r\n",
        b"\x8a\x00" + _UPGRADE,
        _OK.replace(b"X-", b"Y-"),
        _OK.replace(b"X-", b"Server: x\r\nX-"),
        _OK.replace(b"200", b"404"),
        _OK.replace(b"200", b"500"),
        _UPGRADE + _text(b'{"type": "pong"}')[:-1],
        _UPGRADE + _text(b"[]"),
        _UPGRADE + _text(b'{"type": "error", "code": "internal"}'),
        _UPGRADE + b"\x88\x02\x03\xf3",
        _UPGRADE + b"\x88\x00" + _text(b'{"type": "pong"}'),
        _UPGRADE + b"\x81\x80\0\0\0\0",
        _UPGRADE + b"\xc1\x00",
    ],
)
def test_malformed_response_is_found(received: bytes) -> None:
    with pytest.raises((Malformed, ValueError)):
        check(received)
