"""What a stranger may send to the WebSocket port before it is a WebSocket."""

from __future__ import annotations

import socket
import struct
import time

import pytest

from tests.support.processes import System
from tests.support.raw_http import RawAnswer, ask, exchange, parsed

UPGRADE = (
    b"GET /ws/tasks/ HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def _get(path: str, *headers: str, method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode("latin-1")


def _frame(text: bytes, opcode: int = 0x81) -> bytes:
    return struct.pack("!BB", opcode, 0x80 | len(text)) + bytes(4) + text


def _is_ours(answer: RawAnswer) -> None:
    """What every plain answer of this port has."""
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["connection"].startswith("close")
    assert "server" not in answer.headers


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (_get("/healthz") * 2, 200),
        (_get("/readyz") + b"GARBAGE", 200),
        (_get("/readyz") + _get("/healthz"), 200),
        (_get("/nowhere") + b"GARBAGE", 404),
        (_get("/nowhere") + b"\0" * 100_000, 404),
        (b"\r\n\r\n", 400),
        (b"\0", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),  # the greeting of TLS
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"GET /healthz\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.0\r\n\r\n", 200),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n", 400),
        (_get("/healthz", "Content-Length: -1"), 400),
        (_get("/healthz", "Content-Length: 1x"), 400),
        (_get("/healthz", "Content-Length: 5", "Content-Length: 6") + b"12345", 400),
        (_get("/healthz", "Content-Length: " + "9" * 5000), 400),
        (_get("/healthz", "Transfer-Encoding: gzip"), 501),
        (_get("/", "Transfer-Encoding: chunked", method="POST") + b"zz\r\n", 400),
        (_get("/" + "x" * 9000), 414),
        (b"x" * 100_000, 414),
        (_get("/healthz", "A: " + "x" * 20_000), 431),
        (_get("/healthz", "A: " + "x" * 300_000), 431),
        (_get("/healthz", *["A: b"] * 200), 431),
        (_get("/healthz", *["A:"] * 4000), 431),
    ],
    ids=lambda value: repr(value)[:50],
)
@pytest.mark.parametrize("cut", [None, 1, 20])
def test_whatever_comes_is_answered_once(system: System, sent: bytes, status: int, cut: int | None) -> None:
    pieces = [sent] if cut is None else [sent[:cut], sent[cut:]]
    answer = ask(system.ws.port, *pieces)
    _is_ours(answer)
    assert answer.status == status
    assert answer.rest == b""
    assert isinstance(answer.json, dict)


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "get", "X"])
def test_another_method_on_a_probe_is_not_allowed(system: System, path: str, method: str) -> None:
    answer = ask(system.ws.port, _get(path, method=method))
    _is_ours(answer)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
    assert answer.json == {"detail": f'Method "{method}" not allowed.'}


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/nowhere"])
def test_head_is_get_without_the_body(system: System, path: str) -> None:
    get = ask(system.ws.port, _get(path))
    head = ask(system.ws.port, _get(path, method="HEAD"), method="HEAD")
    _is_ours(head)
    assert head.body == b""
    assert (head.status, head.headers["content-length"]) == (get.status, str(len(get.body)))


@pytest.mark.parametrize(
    "head",
    [
        ["Content-Length: {size}"],
        ["Content-Length: {size}", "Expect: 100-continue"],
    ],
    ids=str,
)
@pytest.mark.parametrize("size", [2, 100_000, 262_144, 3_000_000])
def test_a_rest_request_is_answered_with_the_address_of_rest(
    system: System, head: list[str], size: int
) -> None:
    headers = [line.format(size=size) for line in head]
    answer = ask(system.ws.port, _get("/login/", *headers, method="POST"), b"x" * size)
    _is_ours(answer)
    assert answer.status == 404
    assert answer.json["detail"] == "Not found."
    assert f"http://127.0.0.1:{system.gateway.port}/" in answer.json["hint"]


def test_a_body_is_read_before_the_answer(system: System) -> None:
    with socket.create_connection(("127.0.0.1", system.ws.port), timeout=10) as connection:
        connection.sendall(_get("/", "Transfer-Encoding: chunked", method="POST") + b"3\r\nabc\r\n")
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(10)
        connection.sendall(b"0\r\n\r\n")
        received = b""
        while data := connection.recv(4096):
            received += data
        assert parsed(received).status == 404


def test_a_body_that_does_not_come_is_not_waited_for_long(short_timeouts_system: System) -> None:
    answer = ask(short_timeouts_system.ws.port, _get("/", "Content-Length: 100", method="POST") + b"x")
    assert answer.status == 404


def test_a_head_that_does_not_come_is_not_answered(short_timeouts_system: System) -> None:
    assert exchange(short_timeouts_system.ws.port, b"GET / HT") == b""


def test_a_body_in_many_chunks_does_not_hold_up_others(system: System) -> None:
    """A chunk of one byte costs far more than the byte."""
    head = _get("/", "Transfer-Encoding: chunked", method="POST")
    with socket.create_connection(("127.0.0.1", system.ws.port), timeout=10) as connection:
        connection.sendall(head + b"1\r\nx\r\n" * 40_000)
        start = time.monotonic()
        assert ask(system.ws.port, _get("/healthz")).status == 200
        waited = time.monotonic() - start
        connection.sendall(b"0\r\n\r\n")
        received = b""
        while data := connection.recv(4096):
            received += data
    took = time.monotonic() - start
    assert parsed(received).status == 404
    assert waited < max(0.1, took / 2), "its turn came in between"


@pytest.mark.parametrize("sent", [b"", b"GET /heal", _get("/healthz")[:-2], UPGRADE[:-1]], ids=repr)
def test_a_client_that_disconnects_within_the_head_is_dropped(system: System, sent: bytes) -> None:
    assert exchange(system.ws.port, sent, end=True) == b""


@pytest.mark.parametrize(("path", "status"), [("/healthz", 200), ("/readyz", 200), ("/nowhere", 404)])
@pytest.mark.parametrize("header", ["A: b", "Content-Length: 5"])
def test_a_client_that_closes_its_side_after_the_head_is_answered(
    system: System, path: str, header: str, status: int
) -> None:
    assert ask(system.ws.port, _get(path, header), end=True).status == status


def test_frames_in_the_segment_of_the_upgrade_are_messages(system: System) -> None:
    with socket.create_connection(("127.0.0.1", system.ws.port), timeout=10) as connection:
        connection.sendall(UPGRADE + _frame(b'{"type":"auth"}') + _frame(b"[", 0x01) + _frame(b"]", 0x80))
        received = b""
        while b"not_authenticated" not in received:
            received += connection.recv(4096)
    assert received.index(b"token_missing") < received.index(b"not_authenticated")


@pytest.mark.parametrize("cut", [None, -1, -4, 30])
def test_garbage_behind_an_upgrade_is_a_protocol_error(system: System, cut: int | None) -> None:
    sent = [UPGRADE + b"GARBAGE"] if cut is None else [UPGRADE[:cut], UPGRADE[cut:] + b"GARBAGE"]
    answer = ask(system.ws.port, *sent)
    assert answer.status == 101
    assert answer.rest[0] == 0x88
    assert struct.unpack("!H", answer.rest[2:4]) == (1002,)


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        (b"/ws/tasks/", b"/ws/other/", 404),
        (b"/ws/tasks/", b"http://any.example:81/ws/tasks/", 101),
        (b"/ws/tasks/", b"ws://any.example/ws/tasks?a=b", 101),
        (b"/ws/tasks/", b"http://any.example", 404),
        (b"/ws/tasks/", b"http://a b/", 400),
        (b"/ws/tasks/", b"http://[/ws/tasks/", 400),
        (b"/ws/tasks/", b"http://a:99999/ws/tasks/", 400),
        (b"/ws/tasks/", b"ws/tasks/", 400),
        (b"GET", b"POST", 405),
        (b"HTTP/1.1", b"HTTP/1.0", 505),
        (b"Host: x", b"Host: a:99999", 400),
        (b"Host: x", b"Host: evil/x", 400),
        (b"Host: x", b"Host:", 400),
        (b"Host: x", b"Host: user@x", 400),
        (b"Host: x", b"Host: [::1]:8000", 101),
        (b"Version: 13", b"Version: 8", 426),
        (b"Version: 13", b"Version: 0013", 426),
        (b"Version: 13", b"Version: \xff", 426),
        (b"Sec-WebSocket-Version: 13\r\n", b"", 400),
        (b"Version: 13", b"Version: 13\r\nSec-WebSocket-Version: 8", 400),
        (b"Key: AAAA", b"Key: A", 400),
        (b"Key: AAAA", b"Key: \xffAAA", 400),
        (b"Sec-WebSocket-Key: AAAA", b"Sec-WebSocket-Key: B\r\nSec-WebSocket-Key: AAAA", 400),
        (b"Upgrade: websocket", b"Upgrade: h2c", 426),
        (b"Upgrade: websocket", b"Upgrade: ,,", 400),
        (b"Upgrade: websocket", b'Upgrade: "', 400),
        (b"Connection: Upgrade", b"Connection: close", 426),
        (b"Connection: Upgrade", b"Connection: \xff", 400),
        (b"Host: x", b"Host: x\r\nOrigin: http://evil.example", 403),
        (b"Host: x", b"Host: x\r\nOrigin: http://localhost\r\nOrigin: http://localhost", 400),
        (b"Host: x", b"Host: x\r\nContent-Length: 3", 400),
        (b"Host: x", b"Host: x\r\nSec-WebSocket-Protocol: \x80", 400),
        (b"Host: x", b"Host: x\r\nSec-WebSocket-Extensions: ((", 101),
    ],
    ids=repr,
)
def test_a_handshake_that_breaks_is_answered_in_json(
    system: System, old: bytes, new: bytes, status: int
) -> None:
    answer = ask(system.ws.port, UPGRADE.replace(old, new) + b"abc", end=True)
    assert answer.status == status
    if status == 426:
        assert answer.headers["sec-websocket-version"] == "13"
        assert answer.headers["upgrade"] == "websocket"
    if status != 101:
        _is_ours(answer)
        assert isinstance(answer.json["detail"], str)


def test_what_is_refused_is_nowhere_repeated(system: System) -> None:
    secret = "a-token-that-nobody-may-see"
    for head in (
        _get("/ws/tasks/", f"Authorization: Bearer {secret}\x01"),
        _get("/healthz", f"Authorization Bearer {secret}"),
        _get(f"/nowhere?token={secret}"),
        f"GET {secret} HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
        UPGRADE.replace(b"AAAA", secret.encode()),
        UPGRADE.replace(b"13", secret.encode()),
        UPGRADE.replace(b"x\r\n", f"x\r\nOrigin: {secret}\r\n".encode()),
        UPGRADE.replace(b"x\r\n", f"x {secret}\r\n".encode()),
    ):
        received = exchange(system.ws.port, head)
        assert parsed(received).status >= 400
        assert secret.encode() not in received
    assert secret not in system.ws.log.read_text()


def test_nothing_of_it_is_in_the_log(system: System) -> None:
    """Stands last: all that this file has sent is behind it."""
    log = system.ws.log.read_text()
    assert "Traceback" not in log
    assert "ERROR" not in log
