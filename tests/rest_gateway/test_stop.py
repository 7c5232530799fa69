"""An orderly end: what is whole is answered, and nobody else is waited for."""

from __future__ import annotations

import json
import signal
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.clients import PASSWORD, Account, new_account
from tests.support.processes import System, running

PROBE = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


def _connect(system: System, data: bytes) -> socket.socket:
    connection = socket.socket()
    connection.settimeout(15)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", system.gateway.port))
    connection.sendall(data)
    return connection


def _probe(system: System) -> None:
    """When this returns, what was sent before it has been read, too."""
    with _connect(system, PROBE) as connection:
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK")


def _request(account: Account, line: str, length: int = 0) -> bytes:
    return (
        f"{line} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n"
        f"Authorization: Bearer {account.access}\r\n\r\n"
    ).encode()


def _stop_seconds(system: System) -> float:
    started = time.monotonic()
    assert system.gateway.stop() == 0
    return time.monotonic() - started


@pytest.mark.parametrize("uvloop", [True, False], ids=["uvloop", "asyncio"])
def test_nobody_who_owes_something_is_waited_for(tmp_path: Path, uvloop: bool) -> None:
    with running(tmp_path, uvloop=uvloop) as system, ExitStack() as open_ones:
        account = new_account(system)
        epoch = account.rest("GET", "/").headers["X-Taskbeam-Epoch"]
        for data in (
            b"",
            PROBE[:-2],  # half a head
            _request(account, "POST /", 100) + b"{",  # half a body
            PROBE,
            _request(account, "GET /events/"),
            _request(account, f"GET /changes/?epoch={epoch}&since=0&wait=30"),
        ):
            for _ in range(3):
                open_ones.enter_context(_connect(system, data))
        _probe(system)
        assert _stop_seconds(system) < 5


def test_an_answer_that_nobody_reads_is_not_waited_for_long(tmp_path: Path) -> None:
    with running(tmp_path) as system:
        account = new_account(system)
        task = {"mode": "create", "data": {"task": "x", "description": "d" * 2000}}
        for _ in range(20):
            account.rest("POST", "/batch/", {"ops": [task] * 100})
        with _connect(system, _request(account, "GET /") * 3):
            _probe(system)
            assert _stop_seconds(system) < 8


@pytest.mark.parametrize("uvloop", [True, False], ids=["uvloop", "asyncio"])
def test_a_request_that_came_whole_is_answered(tmp_path: Path, uvloop: bool) -> None:
    with running(tmp_path, uvloop=uvloop, BCRYPT_ROUNDS="11") as system:
        body = json.dumps({"username": "late", "password": PASSWORD}).encode()
        head = f"POST /register/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        with _connect(system, head.encode() + body) as connection:
            _probe(system)
            assert system.gateway.popen is not None
            system.gateway.popen.send_signal(signal.SIGTERM)
            assert connection.recv(65536).startswith(b"HTTP/1.1 201 Created")
            assert connection.recv(65536) == b""
            assert system.gateway.popen.wait(15) == 0
