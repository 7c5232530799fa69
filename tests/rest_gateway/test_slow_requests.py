"""Whoever takes too long for a request, or for its answer, is ended; whoever is only slow is not."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import psutil
import pytest

from tests.support.clients import Account, new_account
from tests.support.processes import System, running
from tests.support.raw_http import ask, exchange, parsed
from tests.support.waiting import wait_until

TIMEOUT = 0.6
METRICS = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def hasty_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running(tmp_path_factory.mktemp("hasty"), REQUEST_TIMEOUT_SECONDS=str(TIMEOUT)) as system:
        yield system


@pytest.fixture
def bearer(hasty_system: System) -> Account:
    return new_account(hasty_system)


def _post(account: Account, body: bytes = b'{"task": "Slowly"}') -> bytes:
    lines = [
        "POST / HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {account.access}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def test_a_connection_that_says_nothing_is_ended(hasty_system: System) -> None:
    started = time.monotonic()
    assert exchange(hasty_system.gateway.port) == b""
    assert time.monotonic() - started > TIMEOUT / 2


@pytest.mark.parametrize("part", [b"G", b"GET / HTTP/1.1\r\nHost: x\r\nX-A", HEAD[:-2], b"\r\n"])
def test_half_a_head_is_answered_that_it_took_too_long(hasty_system: System, part: bytes) -> None:
    received = exchange(hasty_system.gateway.port, part)
    if part == b"\r\n":
        assert received == b"", "an empty line is no head"
        return
    answer = parsed(received)
    assert (answer.status, answer.json) == (408, {"detail": "The request took too long."})
    assert answer.headers["connection"] == "close"


def test_half_a_head_on_a_connection_that_was_answered(hasty_system: System) -> None:
    with socket.create_connection(("127.0.0.1", hasty_system.gateway.port), timeout=10) as connection:
        connection.sendall(HEAD)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        connection.sendall(HEAD[:10])
        assert connection.recv(65536).startswith(b"HTTP/1.1 408 ")


def _statuses(received: bytes) -> list[int]:
    statuses = []
    while received:
        answer = parsed(received)
        statuses.append(answer.status)
        received = answer.rest
    return statuses


def test_half_a_head_right_behind_a_request(hasty_system: System) -> None:
    assert _statuses(exchange(hasty_system.gateway.port, HEAD + HEAD[:10])) == [200, 408]


def test_half_a_head_behind_a_request_that_waits(hasty_system: System, bearer: Account) -> None:
    authorization = f"Host: localhost\r\nAuthorization: Bearer {bearer.access}\r\n\r\n"
    listing = ask(
        hasty_system.gateway.port, f"GET / HTTP/1.1\r\nConnection: close\r\n{authorization}".encode()
    )
    epoch = listing.headers["x-taskbeam-epoch"]
    poll = f"GET /changes/?epoch={epoch}&since=0&wait=1 HTTP/1.1\r\n{authorization}".encode()
    assert _statuses(exchange(hasty_system.gateway.port, poll, HEAD[:10])) == [200, 408]


def _trickle(port: int, begin: bytes) -> float:
    """Send a byte ten times a second until the connection is ended; after how many seconds that was."""
    with socket.create_connection(("127.0.0.1", port), timeout=0.1) as connection:
        connection.sendall(begin)
        started = time.monotonic()
        while (taken := time.monotonic() - started) < 15:
            try:
                if not connection.recv(65536):
                    return taken
                connection.sendall(b"1")
            except TimeoutError:
                connection.sendall(b"1")
            except OSError:
                return taken
    raise AssertionError("it was never ended")


def test_a_head_that_trickles_is_ended(hasty_system: System) -> None:
    assert _trickle(hasty_system.gateway.port, b"GET /healthz HTTP/1.1\r\nX-A: ") < 5


@pytest.mark.parametrize("framing", [b"Content-Length: 200000", b"Transfer-Encoding: chunked"])
def test_a_body_that_trickles_is_ended(hasty_system: System, bearer: Account, framing: bytes) -> None:
    head = _post(bearer, b"").replace(b"Content-Length: 0", framing)
    chunk = b"1;name=" if framing.startswith(b"Transfer") else b""
    assert TIMEOUT < _trickle(hasty_system.gateway.port, head + chunk) < 9


def test_half_a_body_is_answered_that_it_took_too_long(hasty_system: System, bearer: Account) -> None:
    answer = ask(hasty_system.gateway.port, _post(bearer)[:-3])
    assert (answer.status, answer.json) == (408, {"detail": "The request took too long."})
    assert bearer.rest("GET", "/").body == []


def test_half_a_body_that_nobody_reads_is_ended_too(hasty_system: System) -> None:
    """The answer comes first; then the rest of the body is waited for."""
    received = exchange(
        hasty_system.gateway.port, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"
    )
    assert parsed(received, "POST").status == 401


def test_a_body_in_slow_pieces_is_taken(hasty_system: System, bearer: Account) -> None:
    request = _post(bearer)
    with socket.create_connection(("127.0.0.1", hasty_system.gateway.port), timeout=10) as connection:
        for piece in (request[:-9], request[-9:-6], request[-6:-3], request[-3:]):
            connection.sendall(piece)
            time.sleep(TIMEOUT * 0.4)
        assert connection.recv(65536).startswith(b"HTTP/1.1 201 ")


@pytest.mark.parametrize(
    "cut", [None, 20, -1, -4], ids=["whole", "in the head", "in the body", "behind a line"]
)
@pytest.mark.parametrize("kind", ["a get", "a get and an empty line", "a write"])
def test_an_idle_connection_that_was_answered_stays(
    hasty_system: System, bearer: Account, kind: str, cut: int | None
) -> None:
    request = {"a get": HEAD, "a get and an empty line": HEAD + b"\r\n", "a write": _post(bearer)}[kind]
    with socket.create_connection(("127.0.0.1", hasty_system.gateway.port), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(request[:cut])
        if cut is not None:
            time.sleep(0.02)  # so that the rest is a piece of its own
            connection.sendall(request[cut:])
        assert connection.recv(65536).startswith(b"HTTP/1.1 20")
        time.sleep(TIMEOUT * 2.5)
        connection.sendall(HEAD)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


@pytest.fixture(scope="module")
def long_list(hasty_system: System) -> Account:
    """An account whose list has some 4 MB, more than the kernel buffers for a small window."""
    account = new_account(hasty_system)
    task = {"mode": "create", "data": {"task": "x", "description": "d" * 2000}}
    for _ in range(20):
        assert account.rest("POST", "/batch/", {"ops": [task] * 100}).status == 200
    return account


def _asking(system: System, account: Account, times: int) -> socket.socket:
    connection = socket.socket()
    connection.settimeout(20)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", system.gateway.port))
    request = f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {account.access}\r\n\r\n"
    connection.sendall(request.encode() * times)
    return connection


def test_an_answer_that_is_never_read_ends(hasty_system: System, long_list: Account) -> None:
    gateway = psutil.Process(hasty_system.gateway.pid)
    with _asking(hasty_system, long_list, 3) as connection:
        port = connection.getsockname()[1]

        def is_open() -> bool:
            return any(peer.raddr and peer.raddr.port == port for peer in gateway.net_connections("tcp"))

        wait_until(is_open, 10, "the connection is accepted")
        wait_until(lambda: not is_open(), 20, "it is ended")
    assert b"\ntaskbeam_slow_readers_cut_total 1.0\n" in exchange(hasty_system.gateway.port, METRICS)


def test_an_answer_that_is_read_slowly_arrives_whole(hasty_system: System, long_list: Account) -> None:
    with _asking(hasty_system, long_list, 1) as connection:
        received = connection.recv(50_000)
        started = time.monotonic()
        head, _, body = received.partition(b"\r\n\r\n")
        left = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]) - len(body)
        while left:
            data = connection.recv(50_000)
            assert data, f"cut before the last {left} bytes"
            left -= len(data)
            if time.monotonic() - started < 2.5 * TIMEOUT:
                time.sleep(0.02)
        assert time.monotonic() - started > 2 * TIMEOUT
