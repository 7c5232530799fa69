"""Where the processes listen: several addresses, inherited sockets, ports in use; and the errors."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from shared.listening import check_inherited_socket
from shared.settings import ListenAddress, SettingsError
from tests.support.ports import free_port
from tests.support.processes import ROOT, Process, System
from tests.support.raw_http import ask
from tests.support.waiting import wait_until

_PROBE: Final = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
_PREFIX: Final = {"ws_server": "WS", "rest_gateway": "REST"}
BOTH = pytest.mark.parametrize("module", ["ws_server", "rest_gateway"])


def _system(folder: Path, environ: dict[str, str] | None = None, workers: int = 1) -> System:
    folder.mkdir(exist_ok=True)
    return System(folder, {f"TASKBEAM_{name}": value for name, value in (environ or {}).items()}, workers)


@contextmanager
def _killed_at_end(*systems: System) -> Iterator[None]:
    try:
        yield
    finally:
        for system in systems:
            for process in system.processes:
                process.kill_if_running()


def _run(module: str, folder: Path, name: str, value: str) -> tuple[int, list[str]]:
    """The exit status of a process that cannot start with that setting, and what it says, less the warning of an old
    SQLite."""
    ended = subprocess.run(
        [sys.executable, "-m", module],
        check=False,
        cwd=ROOT,
        env=_system(folder, {f"{_PREFIX[module]}_{name}": value}).environ,
        capture_output=True,
        text=True,
        timeout=30,
    )
    return ended.returncode, [line for line in ended.stderr.splitlines() if "WAL-reset race" not in line]


@BOTH
def test_process_listens_on_several_addresses(tmp_path: Path, module: str) -> None:
    system = _system(tmp_path, {"WS_HOST": "127.0.0.1,::1", "REST_HOST": "127.0.0.1, 127.0.0.2"})
    process = system.ws if module == "ws_server" else system.gateway
    with _killed_at_end(system):
        process.start()
        second = "[::1]" if module == "ws_server" else "127.0.0.2"
        assert f"listening on 127.0.0.1:{process.port} {second}:{process.port}\n" in process.log.read_text()
        with socket.create_connection((second.strip("[]"), process.port), timeout=10) as connection:
            connection.sendall(_PROBE)
            assert b" 200 " in connection.recv(4096)
        assert process.stop() == 0


@BOTH
def test_process_listens_on_all_addresses_of_both_families(tmp_path: Path, module: str) -> None:
    system = _system(tmp_path, {"WS_HOST": "0.0.0.0,::", "REST_HOST": "0.0.0.0,::"})
    process = system.ws if module == "ws_server" else system.gateway
    with _killed_at_end(system):
        process.start()
        for host in ("127.0.0.1", "::1"):
            with socket.create_connection((host, process.port), timeout=10) as connection:
                connection.sendall(_PROBE)
                assert b" 200 " in connection.recv(4096)
        assert process.stop() == 0


@BOTH
@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_process_listens_on_an_inherited_socket(tmp_path: Path, module: str, kind: str) -> None:
    listening = socket.socket(socket.AF_INET if kind == "tcp" else socket.AF_UNIX)
    listening.bind(("127.0.0.1", 0) if kind == "tcp" else str(tmp_path / "s"))
    with listening, _inheriting(tmp_path, module, listening) as process:
        with socket.socket(listening.family) as connection:
            connection.settimeout(20)
            wait_until(lambda: connection.connect_ex(listening.getsockname()) == 0, 20, "it listens")
            connection.sendall(_PROBE)
            assert b" 200 " in connection.recv(4096)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


@contextmanager
def _inheriting(folder: Path, module: str, one: socket.socket) -> Iterator[subprocess.Popen[bytes]]:
    environ = _system(folder, {f"{_PREFIX[module]}_FD": str(one.fileno())}).environ
    process = subprocess.Popen(
        [sys.executable, "-m", module], cwd=ROOT, env=environ, pass_fds=(one.fileno(),)
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@BOTH
def test_descriptor_that_is_not_open_is_reported(tmp_path: Path, module: str) -> None:
    status, lines = _run(module, tmp_path, "FD", "7")
    assert status == 2
    [line] = lines
    assert line == (
        f"TASKBEAM_{_PREFIX[module]}_FD: expected a listening socket, inherited, not 7: Bad file descriptor"
    )
    assert list(tmp_path.iterdir()) == [], "no file was made"


def test_descriptor_that_cannot_listen_is_refused(tmp_path: Path) -> None:
    left, right = socket.socketpair()
    with (
        left,
        right,
        (tmp_path / "f").open("w") as file,
        socket.socket(type=socket.SOCK_DGRAM) as datagrams,
        socket.socket() as unbound,
        socket.socket(socket.AF_UNIX) as nameless,
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as connection,
    ):
        for one in (left, file, datagrams, unbound, nameless, connection):
            with pytest.raises(SettingsError) as refused:
                check_inherited_socket(ListenAddress("WS", (), 0, one.fileno()))
            [problem] = refused.value.problems
            assert problem.startswith(
                f"TASKBEAM_WS_FD: expected a listening socket, inherited, not {one.fileno()}: "
            )
        check_inherited_socket(ListenAddress("WS", (), 0, server.fileno()))
        assert server.fileno() != -1
        assert os.fstat(connection.fileno()), "it is still open"


@BOTH
@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("192.0.2.1", 2),
        ("127.0.0.1,192.0.2.1", 2),
        ("a..b", 2),
        ("nowhere.invalid", 1),
    ],
)
def test_host_that_is_not_available_is_reported(tmp_path: Path, module: str, host: str, status: int) -> None:
    ended, lines = _run(module, tmp_path, "HOST", host)
    assert ended == status
    [line] = lines
    assert f"TASKBEAM_{_PREFIX[module]}_HOST: " in line
    assert host.rpartition(",")[2] in line


@BOTH
def test_port_in_use_is_reported(tmp_path: Path, module: str) -> None:
    port = free_port()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # the kernel would let us share the port
        other.bind(("127.0.0.1", port))
        other.listen()
        status, lines = _run(module, tmp_path, "PORT", str(port))
    assert status == 1
    [line] = lines
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in line


def _status(process: Process) -> int | None:
    assert process.popen is not None
    return process.popen.poll()


def test_workers_of_another_database_do_not_share_the_port(tmp_path: Path) -> None:
    """Not even when all start at the same time, and each sees another worker of its own database."""
    first = _system(tmp_path / "first", workers=2)
    second = _system(tmp_path / "second", {"WS_PORT": str(first.ws.port)}, workers=3)
    with _killed_at_end(first, second):
        for process in first.ws_workers:
            process.start(ready=False)
        for process in first.ws_workers:
            process.wait_ready()
        for process in second.ws_workers:
            process.start(ready=False)
        wait_until(
            lambda: all(_status(process) is not None for process in second.ws_workers), 20, "they give up"
        )
        for process in second.ws_workers:
            assert _status(process) == 1
            lines = [line for line in process.log.read_text().splitlines() if "WAL-reset race" not in line]
            assert len(lines) == 1
            assert f"cannot listen on 127.0.0.1:{first.ws.port}: Address already in use" in lines[0]
        assert [process.stop() for process in first.ws_workers] == [0, 0]


def test_of_two_databases_that_start_at_once_one_gets_the_port(tmp_path: Path) -> None:
    first = _system(tmp_path / "first", workers=2)
    second = _system(tmp_path / "second", {"WS_PORT": str(first.ws.port)}, workers=2)
    pairs = list(zip(first.ws_workers, second.ws_workers, strict=True))
    with _killed_at_end(first, second):
        for process in (process for pair in pairs for process in pair):
            process.start(ready=False)

        def has_tried(process: Process) -> bool:
            return _status(process) is not None or b"listening on" in process.log.read_bytes()

        wait_until(lambda: all(has_tried(process) for pair in pairs for process in pair), 20, "all know")
        listening = [
            [_status(process) is None for process in system.ws_workers] for system in (first, second)
        ]
        assert sorted(listening) == [[False, False], [True, True]]


def test_workers_of_one_database_share_a_port_across_restarts(tmp_path: Path) -> None:
    system = _system(tmp_path, workers=3)
    with _killed_at_end(system):
        for process in system.ws_workers:
            process.start(ready=False)
        for process in system.ws_workers:
            process.wait_ready()
        for process in system.ws_workers[:2]:
            process.kill()
            process.start()
        first = system.ws_workers[0]
        assert first.stop() == 0
        first.start()
        assert ask(first.port, _PROBE).status == 200
        ports = tmp_path / "taskbeam.db-ports"
        assert {path.name for path in ports.iterdir()} == {"start", f"127.0.0.1:{first.port}"}
        assert all(os.stat(path).st_mode & 0o077 == 0 for path in (ports, *ports.iterdir()))
        assert [process.stop() for process in system.ws_workers] == [0, 0, 0]
