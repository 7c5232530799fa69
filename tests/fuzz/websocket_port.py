"""Random input for the WebSocket port: requests, upgrades, frames."""

from __future__ import annotations

import struct
from random import Random
from typing import Final

from tests.fuzz.mutation import maybe_mutated

_TARGETS: Final = (
    b"/ws/tasks/", b"/ws/tasks", b"/ws/tasks/?a=b", b"http://h/ws/tasks/", b"/healthz", b"/readyz", b"/", b"*", b"/login/",
    b"http://h:99999/", b"//", b"/%00", b"/ws/tasks/../",
)  # fmt: skip
_METHODS: Final = (b"GET", b"GET", b"GET", b"HEAD", b"POST", b"OPTIONS", b"CONNECT", b"get", b"PRI")
_HEADERS: Final = (
    b"Upgrade: websocket", b"Connection: Upgrade", b"Connection: keep-alive, Upgrade", b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Version: 8", b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", b"Sec-WebSocket-Key: x",
    b"Origin: http://localhost:3000", b"Origin: null", b"Sec-WebSocket-Protocol: a, b", b"Content-Length: 0",
    b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits", b"Content-Length: 5", b"Content-Length: 70000",
    b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked", b"Expect: 100-continue", b"Cookie: a=b",
    b"Authorization: Bearer $TOKEN", b"A: b\r\n c", b"Host: other", b"Connection: close",
)  # fmt: skip
_BODIES: Final = (
    b"",
    b"hello",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"zz\r\n",
    b"1;a=b\r\nx\r\n0\r\nA: b\r\n\r\n",
    b"x" * 70_000,
)
_UPGRADE: Final = (
    b"GET /ws/tasks/ HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_AUTH: Final = b'{"type": "auth", "token": "$TOKEN"}'
_MESSAGES: Final = (
    _AUTH, b'{"type": "auth"}', b'{"type": "auth", "token": "x.y.z"}', b'{"mode": "all"}', b'{"mode": "ping", "id": 1}',
    b'{"mode": "all", "limit": 10, "offset": 0, "search": "a", "ordering": "-time_created", "completed": true}',
    b'{"mode": "create", "data": {"task": "t", "description": "d", "completed": false}, "id": "c"}',
    b'{"mode": "create", "data": {"task": "t", "uuid": "16f894b8-cb89-4672-9561-0b80cc75ae1b"}}',
    b'{"mode": "read", "task_id": "16f894b8-cb89-4672-9561-0b80cc75ae1b"}',
    b'{"mode": "update", "task_id": "16f894b8-cb89-4672-9561-0b80cc75ae1b", "data": {"completed": true}, "rev": 1}',
    b'{"mode": "delete", "task_id": "16f894b8-cb89-4672-9561-0b80cc75ae1b", "rev": 1}',
    b'{"mode": "batch", "ops": [{"mode": "create", "data": {"task": "b"}}, {"mode": "delete", "task_id": "x"}]}',
    b'{"mode": "sync", "epoch": "e", "since": 0}', b"[]", b'"', b"{", b"", b"5" * 5000, b"[" * 100_000, b"\xff",
)  # fmt: skip


def conversation(random: Random) -> bytes:
    """The bytes that one client sends."""
    if random.random() < 0.4:
        return maybe_mutated(0.6, random, _request(random))
    frames = [_frame(0x81, _AUTH, random)] if random.random() < 0.7 else []
    frames += [_any_frame(random) for _ in range(random.randint(0, 5))]
    return maybe_mutated(0.1, random, _UPGRADE) + maybe_mutated(0.3, random, b"".join(frames))


def _request(random: Random) -> bytes:
    lines = [random.choice(_METHODS) + b" " + random.choice(_TARGETS) + b" HTTP/1.1", b"Host: x"]
    lines += random.sample(_HEADERS, random.randint(0, 8))
    request = b"\r\n".join([*lines, b"", b""]) + random.choice(_BODIES)
    return request * random.choice((1, 1, 1, 2, 5))


def _any_frame(random: Random) -> bytes:
    match random.randrange(6):
        case 0:
            return _frame(random.choice((0x88, 0x89, 0x8A, 0x82, 0x80, 0x83, 0xC1)), b"\x03\xe8", random)
        case 1:  # in fragments, perhaps without the last
            message = random.choice(_MESSAGES)
            middle = len(message) // 2
            last = random.choice((0x80, 0x80, 0x00, 0x81))
            return _frame(0x01, message[:middle], random) + _frame(last, message[middle:], random)
        case _:
            return _frame(0x81, maybe_mutated(0.5, random, random.choice(_MESSAGES)), random)


def _frame(first: int, payload: bytes, random: Random) -> bytes:
    mask = random.randbytes(4)
    masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
    if len(payload) < 126:
        length = struct.pack("!B", 0x80 | len(payload))
    elif len(payload) < 65_536:
        length = struct.pack("!BH", 0xFE, len(payload))
    else:
        length = struct.pack("!BQ", 0xFF, len(payload))
    return bytes([first]) + length + mask + masked
