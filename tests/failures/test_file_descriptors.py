"""More connections than file descriptors: open connections are served, new ones wait."""

from __future__ import annotations

import os
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import psutil
import pytest

from tests.support.event_loops import without_uvloop
from tests.support.processes import Process, System
from tests.support.raw_http import ask
from tests.support.waiting import wait_until

_FILES: Final = 80
_SILENT_CLIENTS: Final = 150
_PROBE: Final = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
_UPGRADE: Final = (
    b"GET /ws/tasks/ HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_PING: Final = b"\x89\x80\0\0\0\0"


class _Client:
    """A client that is connected first. ``ask`` returns the seconds that an answer takes."""

    def __init__(self, process: Process) -> None:
        self._asks = _PING if process.module == "ws_server" else _PROBE
        self.socket = socket.create_connection(("127.0.0.1", process.port), timeout=10)
        if process.module == "ws_server":
            self.socket.sendall(_UPGRADE)
            assert b" 101 " in self.socket.recv(4096)
        else:
            self.ask()

    def ask(self) -> float:
        start = time.monotonic()
        self.socket.sendall(self._asks)
        assert self.socket.recv(4096)
        return time.monotonic() - start


@contextmanager
def _full(process: Process) -> Iterator[_Client]:
    """Silent clients hold every connection that the process may have, and more wait."""
    with ExitStack() as stack:
        client = _Client(process)
        stack.enter_context(client.socket)
        for _ in range(_SILENT_CLIENTS):
            stack.enter_context(socket.create_connection(("127.0.0.1", process.port), timeout=10))
        wait_until(lambda: b"accepting pauses" in process.log.read_bytes(), 10, "the warning is logged")
        yield client


def _assert_responsive(process: Process, client: _Client) -> None:
    """Assert, for a second, that the client is answered, the process nearly idle, the log nearly quiet."""
    before, size = psutil.Process(process.pid).cpu_times(), process.log.stat().st_size
    waits: list[float] = []
    while len(waits) < 20:
        waits.append(client.ask())
        time.sleep(0.05)
    after = psutil.Process(process.pid).cpu_times()
    assert sorted(waits)[len(waits) // 2] < 0.1, waits
    assert after.user + after.system - before.user - before.system < 0.6
    assert process.log.stat().st_size - size < 1000
    assert "Traceback" not in process.log.read_text()


@pytest.fixture(params=["uvloop", "asyncio"])
def loop_environ(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """Environment variables for each of the two event loops."""
    if request.param == "uvloop":
        return {}
    return without_uvloop(tmp_path)


@pytest.fixture(params=["ws_server", "rest_gateway"])
def process(
    request: pytest.FixtureRequest, tmp_path: Path, loop_environ: dict[str, str]
) -> Iterator[Process]:
    system = System(tmp_path, {**loop_environ, "TASKBEAM_AUTH_TIMEOUT_SECONDS": "300"})
    process = system.ws if request.param == "ws_server" else system.gateway
    try:
        yield process
        assert process.stop() == 0
    finally:
        process.kill_if_running()


def test_connections_stay_below_the_limit_of_descriptors(process: Process) -> None:
    process.files = _FILES
    process.start()
    assert process.log_lines(f"not MAX_CONNECTIONS=50000: a process may have {_FILES} files open")
    with _full(process) as client:
        assert len(os.listdir(f"/proc/{process.pid}/fd")) < _FILES
        _assert_responsive(process, client)
        if process.module == "ws_server":
            _Client(process).socket.close()  # a new client is served before the silent ones time out
    assert ask(process.port, _PROBE.replace(b"x", b"x\r\nConnection: close")).status == 200


def test_accepting_waits_for_descriptors_when_the_spare_ones_are_used_up(process: Process) -> None:
    """The limit is lowered while the process runs."""
    process.start()
    pid = process.pid
    with ExitStack() as stack:
        client = _Client(process)
        stack.enter_context(client.socket)
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        used = max(int(name) for name in os.listdir(f"/proc/{pid}/fd")) + 1
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, limits[1]))
        waiting = [
            stack.enter_context(socket.create_connection(("127.0.0.1", process.port), timeout=10))
            for _ in range(50)
        ]
        wait_until(lambda: b"cannot accept" in process.log.read_bytes(), 10, "the warning is logged")
        _assert_responsive(process, client)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        for one in waiting:
            one.sendall(_PROBE)
        assert all(b" 200 " in one.recv(4096) for one in waiting)
