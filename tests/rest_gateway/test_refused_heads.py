"""What the HTTP parser refuses: answered in JSON as everything is, and nothing of it in the log."""

from __future__ import annotations

import json
import socket

import pytest

from tests.support.clients import Account, new_account
from tests.support.processes import System
from tests.support.raw_http import ask, exchange, parsed

SECRET = "s3cret-of-somebody"
HOST = b"Host: localhost\r\n"
NOT_HTTP = {
    "NUL in the target": b"GET /\x00 HTTP/1.1\r\n" + HOST,
    "NUL in a value": b"GET / HTTP/1.1\r\n" + HOST + b"Cookie: s3cret-of-somebody\x00\r\n",
    "control character in a value": b"GET / HTTP/1.1\r\n"
    + HOST
    + b"Authorization: s3cret-of-somebody\x01\r\n",
    "bytes": bytes(range(256)),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "no version": b"GET /s3cret-of-somebody\r\n" + HOST,
    "another version": b"GET / HTTP/3.7\r\n" + HOST,
    "another method": b"SECRET / HTTP/1.1\r\n" + HOST,
    "a target without a path": b"GET s3cret-of-somebody HTTP/1.1\r\n" + HOST,
    "an absolute target without a host": b"GET http:///x HTTP/1.1\r\n" + HOST,
    "an absolute target with a bad port": b"GET http://a:99999/ HTTP/1.1\r\n" + HOST,
    "a name with a space": b"GET / HTTP/1.1\r\n" + HOST + b"A b: s3cret-of-somebody\r\n",
    "a line without a colon": b"GET / HTTP/1.1\r\n" + HOST + b"s3cret-of-somebody\r\n",
    "no host": b"GET / HTTP/1.1\r\n",
    "two hosts": b"GET / HTTP/1.1\r\n" + HOST + HOST,
    "no length": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: \r\n",
    "a length of letters": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: s3cret-of-somebody\r\n",
    "a negative length": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n",
    "a length beyond all": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 99999999999999999999999\r\n",
    "two lengths": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n",
    "a length and chunks": b"POST / HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
    "unknown transfer coding": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: s3cret-of-somebody\r\n",
}
TOO_LONG = {
    "a cookie": b"GET / HTTP/1.1\r\n" + HOST + b"Cookie: s3cret-of-somebody" + b"c" * 100_000 + b"\r\n",
    "a target": b"GET /s3cret-of-somebody" + b"t" * 100_000 + b" HTTP/1.1\r\n" + HOST,
    "a name": b"GET / HTTP/1.1\r\n" + HOST + b"s3cret-of-somebody" + b"n" * 100_000 + b": x\r\n",
}
MANY = {"many lines": b"GET / HTTP/1.1\r\n" + HOST + b"Cookie: s3cret-of-somebody\r\n" * 1000}


@pytest.mark.parametrize(
    "head", [*NOT_HTTP.values(), *TOO_LONG.values(), *MANY.values()], ids=[*NOT_HTTP, *TOO_LONG, *MANY]
)
def test_it_is_answered_in_json_and_leaves_nothing_in_the_log(each_system: System, head: bytes) -> None:
    system = each_system
    before = system.gateway.log.read_text()
    received = exchange(system.gateway.port, head + b"\r\n")
    answer = parsed(received)
    assert (answer.status, list(answer.json)) == (400, ["detail"])
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["connection"] == "close"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-request-id"]
    assert "server" not in answer.headers
    assert SECRET.encode() not in received
    assert system.gateway.log.read_text() == before


@pytest.mark.parametrize("head", TOO_LONG.values(), ids=TOO_LONG)
def test_a_head_that_is_too_long_is_refused_with_the_reason(system: System, head: bytes) -> None:
    assert ask(system.gateway.port, head).json == {"detail": "The head of the request is too long."}


def test_requests_before_it_are_answered(system: System) -> None:
    with socket.create_connection(("127.0.0.1", system.gateway.port), timeout=10) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK")
        connection.sendall(b"\x00\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 400 Bad Request")
        assert connection.recv(65536) == b""


@pytest.mark.parametrize(
    "piece", [b"zz\r\nabc\r\n0\r\n\r\n", b"-1\r\n", b"5\r\nabcdefgh\r\n", b"f" * 40 + b"\r\n"]
)
def test_a_chunk_that_is_broken_ends_the_request_at_once(
    system: System, account: Account, piece: bytes
) -> None:
    head = (
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
        b"Authorization: Bearer " + account.access.encode() + b"\r\n\r\n"
    )
    answer = ask(system.gateway.port, head + b'5\r\n{"tas\r\n', piece)
    assert (answer.status, list(answer.json)) == (400, ["detail"])
    assert answer.headers["connection"] == "close"
    assert account.rest("GET", "/").body == []


def test_whole_requests_before_the_end_of_a_connection_are_carried_out(each_system: System) -> None:
    system, account = each_system, new_account(each_system)
    body = json.dumps({"task": "Then it left"}).encode()
    head = (
        b"POST / HTTP/1.1\r\n"
        + HOST
        + b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
        + b"Authorization: Bearer "
        + account.access.encode()
        + b"\r\n\r\n"
    )
    received = exchange(system.gateway.port, (head + body) * 3, end=True)
    assert received.count(b"HTTP/1.1 201 Created") == 3
    assert len(account.rest("GET", "/").body) == 3
    half = exchange(system.gateway.port, head + body[:-1], end=True)
    assert parsed(half).json == {"detail": "The request body was cut off."}
    assert parsed(exchange(system.gateway.port, head[:20], end=True)).status == 400
    assert len(account.rest("GET", "/").body) == 3
