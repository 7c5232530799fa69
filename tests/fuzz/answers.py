"""Checks that what a port sent is well-formed: HTTP responses, and WebSocket frames after an upgrade."""

from __future__ import annotations

import json
import struct

import h11

_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10


class Malformed(Exception):
    """The message says what is wrong."""


def check(received: bytes) -> None:
    """Check any number of complete responses. Raises Malformed."""
    if not received:
        return
    try:
        check(_after_answer("GET", received))
    except Malformed as malformed:
        try:
            check(_after_answer("HEAD", received))  # it has a length, and no body
        except Malformed:
            raise malformed from None


def _after_answer(method: str, received: bytes) -> bytes:
    parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=2**24)
    parser.send(h11.Request(method=method, target="/", headers=[("Host", "x"), ("Upgrade", "websocket")]))
    parser.send(h11.EndOfMessage())
    parser.receive_data(received)
    head: h11.Response | h11.InformationalResponse | None = None
    body = b""
    try:
        while True:
            match parser.next_event():
                case h11.InformationalResponse(status_code=101):
                    _check_frames(parser.trailing_data[0])
                    return b""
                case h11.InformationalResponse() | h11.Response() as head:
                    pass
                case h11.Data(data=data):
                    body += data
                case h11.EndOfMessage():
                    assert isinstance(head, h11.Response)
                    _check_answer(head, body, has_body=method != "HEAD")
                    return parser.trailing_data[0]
                case _:  # the connection ended here: we may have closed first
                    if _is_stream(head) or isinstance(head, h11.InformationalResponse):
                        return b""
                    raise Malformed(f"an answer that is cut short: {received[:200]!r}")
    except h11.RemoteProtocolError as error:
        raise Malformed(f"{error}: {received[:200]!r}") from None


def _is_stream(head: h11.Response | h11.InformationalResponse | None) -> bool:
    return head is not None and (b"content-type", b"text/event-stream") in list(head.headers)


def _check_answer(head: h11.Response, body: bytes, *, has_body: bool) -> None:
    headers = dict(head.headers)
    if has_body and head.status_code != 204 and not {b"content-length", b"transfer-encoding"} & set(headers):
        raise Malformed(f"an answer without a length: {body[:200]!r}")
    if head.status_code == 500:
        raise Malformed(f"a defect: {body[:200]!r}")
    if b"server" in headers or headers.get(b"x-content-type-options") != b"nosniff":
        raise Malformed(f"headers that should be there or should not: {headers!r}")
    if head.status_code >= 400 and has_body:
        if headers.get(b"content-type", b"").partition(b";")[0] != b"application/json":
            raise Malformed(f"an error that is not JSON: {head.status_code} {body[:200]!r}")
        try:
            json.loads(body)
        except ValueError:
            raise Malformed(f"an error that is not JSON: {head.status_code} {body[:200]!r}") from None


def _check_frames(data: bytes) -> None:
    closed = False
    while data:
        if closed and not data[0] & 0x08:  # control frames may follow (RFC 6455, 5.5.1)
            raise Malformed(f"something behind a close frame: {data[:100]!r}")
        if len(data) < 2 or data[0] & 0x70 or data[1] & 0x80:
            raise Malformed(f"no frame of a server: {data[:100]!r}")
        opcode, size, start = data[0] & 0x0F, data[1], 2
        if size > 125:
            form = "!H" if size == 126 else "!Q"
            start += struct.calcsize(form)
            (size,) = struct.unpack(form, data[2:start])
        payload, rest = data[start : start + size], data[start + size :]
        if len(payload) < size or not data[0] & 0x80:
            raise Malformed(f"a frame that is cut short: {data[:100]!r}")
        _check_frame(opcode, payload)
        closed = closed or opcode == _CLOSE
        data = rest


def _check_frame(opcode: int, payload: bytes) -> None:
    if opcode == _TEXT:
        frame = json.loads(payload)
        if not isinstance(frame, dict) or "type" not in frame:
            raise Malformed(f"no frame of ours: {payload[:100]!r}")
        if frame.get("code") == "internal":
            raise Malformed(f"a defect: {payload[:100]!r}")
    elif opcode == _CLOSE:
        payload[2:].decode()
        if payload and struct.unpack("!H", payload[:2])[0] == 1011:
            raise Malformed("a defect: close 1011")
    elif opcode not in (_PING, _PONG):
        raise Malformed(f"opcode {opcode}")
