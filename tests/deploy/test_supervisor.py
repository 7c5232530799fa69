"""The shipped supervisord.conf and launcher, with real processes that are killed while clients write."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import re
import select
import signal
import socket
import stat
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable

import psutil
import pytest
from websockets.exceptions import ConnectionClosed, WebSocketException

from tests.deploy.checkout import SECONDS, SERVE, STOP_SECONDS, Checkout
from tests.support.waiting import wait_until

GATEWAY = "taskbeam:rest_gateway"
WORKERS = ["taskbeam:ws_server_00", "taskbeam:ws_server_01"]


class Writer:
    """Creates tasks until it is stopped. Repeats a create whose answer was lost, as clients do."""

    def __init__(self, checkout: Checkout, token: str) -> None:
        self.checkout = checkout
        self.token = token
        self.acknowledged: list[str] = []
        self.stopping = threading.Event()

    def over_rest(self) -> None:
        task = str(uuid.uuid4())
        while not self.stopping.wait(0.01):
            with contextlib.suppress(OSError):
                status, body = self.checkout.request(
                    "POST", "/", {"task": "x", "uuid": task}, token=self.token
                )
                assert status in (200, 201, 503), body
                if status != 503:
                    self.acknowledged.append(task)
                    task = str(uuid.uuid4())

    def over_websocket(self) -> None:
        task = str(uuid.uuid4())
        while not self.stopping.wait(0.05):
            with (
                contextlib.suppress(OSError, WebSocketException),
                self.checkout.socket(self.token) as connection,
            ):
                while not self.stopping.wait(0.01):
                    connection.send(json.dumps({"mode": "create", "data": {"task": "x", "uuid": task}}))
                    answer = json.loads(connection.recv(timeout=10))
                    if answer.get("code") == "unavailable":
                        continue
                    assert answer["type"] == "task.update", answer
                    self.acknowledged.append(task)
                    task = str(uuid.uuid4())

    def goes_on(self) -> None:
        goal = len(self.acknowledged) + 10
        wait_until(lambda: len(self.acknowledged) >= goal, SECONDS, "more acknowledged writes")


def test_killed_processes_come_back_and_lose_no_acknowledged_write(checkout: Checkout) -> None:
    with checkout.supervisord(), concurrent.futures.ThreadPoolExecutor() as pool:
        checkout.wait_for_all()
        token = checkout.log_in()
        rest, websocket = Writer(checkout, token), Writer(checkout, token)
        writing = [pool.submit(rest.over_rest), pool.submit(websocket.over_websocket)]
        try:
            for name in (*WORKERS, GATEWAY, GATEWAY, *WORKERS):
                rest.goes_on()
                websocket.goes_on()
                checkout.kill(name)
            rest.goes_on()
            websocket.goes_on()
        finally:
            rest.stopping.set()
            websocket.stopping.set()
        for one in writing:
            one.result(timeout=30)

        stored = checkout.tasks(token)
        assert len(stored) == len(set(stored))
        assert set(rest.acknowledged + websocket.acknowledged) <= set(stored)
        with checkout.socket(token) as connection:
            connection.send(json.dumps({"mode": "all"}))
            answer = json.loads(connection.recv(timeout=10))
        assert [task["uuid"] for task in answer["task"]] == stored


def test_workers_share_one_port(checkout: Checkout) -> None:
    with checkout.supervisord():
        checkout.wait_for_all()

        def listening(name: str) -> set[int]:
            connections = psutil.Process(checkout.pids()[name]).net_connections("tcp")
            return {one.laddr.port for one in connections if one.status == psutil.CONN_LISTEN}

        def listens(name: str) -> Callable[[], bool]:
            return lambda: listening(name) == {checkout.ws_port}

        for name in WORKERS:
            wait_until(listens(name), SECONDS, f"{name} listens")
        token = checkout.log_in()
        for name in WORKERS:
            checkout.kill(name)
            with checkout.socket(token):  # the other worker accepts it
                pass
            wait_until(lambda: len(checkout.pids()) == 3, SECONDS, f"{name} comes back")
            wait_until(listens(name), SECONDS, f"{name} listens again")


def test_a_server_that_exits_with_status_zero_is_started_again(checkout: Checkout) -> None:
    with checkout.supervisord():
        checkout.wait_for_all()
        for name in (WORKERS[0], GATEWAY):
            checkout.kill(name, signal.SIGTERM)


def test_only_the_owner_can_open_the_control_socket(checkout: Checkout) -> None:
    with checkout.supervisord():
        checkout.wait_for_all()
        told = [line.split()[:2] for line in checkout.supervisorctl("status").splitlines()]
        assert told == [[name, "RUNNING"] for name in sorted({GATEWAY, *WORKERS})]
        mode = (checkout.folder / "var" / "supervisor.sock").stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o700
        # umask: only the owner can read what the servers make, such as the database and the key.
        open_to_others = {
            path.name for path in (checkout.folder / "var").iterdir() if path.stat().st_mode & 0o077
        }
        assert open_to_others <= {"supervisord.pid"}


def test_a_stop_leaves_no_process(checkout: Checkout) -> None:
    with checkout.supervisord() as supervisord:
        checkout.wait_for_all()
        processes = [psutil.Process(pid) for pid in checkout.pids().values()]
        token = checkout.log_in()
        with checkout.socket(token) as connection:
            supervisord.send_signal(signal.SIGTERM)
            with pytest.raises(ConnectionClosed) as closed:
                connection.recv(timeout=STOP_SECONDS)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code in (1001, 1012)
        assert supervisord.wait(STOP_SECONDS) == 0
        assert psutil.wait_procs(processes, timeout=1)[1] == []
        left = {path.name for path in (checkout.folder / "var").iterdir()}
        assert left.isdisjoint({"supervisor.sock", "supervisord.pid"})
        assert "SIGKILL" not in checkout.log.read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_launcher_prints_the_addresses_and_stops_everything(
    checkout: Checkout, number: signal.Signals
) -> None:
    checkout.environment["TASKBEAM_REST_HOST"] = "127.0.0.1,::1"
    with checkout.serving() as launcher:
        wait_until(lambda: "taskbeam: ready at http" in checkout.log.read_text(), SECONDS, "readiness")
        said = [line for line in checkout.log.read_text().splitlines() if line.startswith("taskbeam: ")]
        assert said == [
            f"taskbeam: ready at ws://127.0.0.1:{checkout.ws_port}/ws/tasks/",
            f"taskbeam: ready at http://127.0.0.1:{checkout.rest_port}/",
            f"taskbeam: ready at http://[::1]:{checkout.rest_port}/",
            f"taskbeam: open http://127.0.0.1:{checkout.rest_port}/app/ in a browser",
        ]
        assert all(checkout.is_ready(port) for port in (checkout.ws_port, checkout.rest_port))
        processes = psutil.Process(launcher.pid).children(recursive=True)
        os.truncate(checkout.log, 0)  # as logrotate does with copytruncate
        launcher.send_signal(number)
        assert launcher.wait(STOP_SECONDS) == 0
        assert re.match(r"\d{4}-\d\d-\d\d", checkout.log.read_text())
        assert psutil.wait_procs(processes, timeout=1)[1] == []
    assert stat.S_IMODE((checkout.folder / "var").stat().st_mode) == 0o700
    assert "Traceback" not in checkout.log.read_text()


def test_make_does_not_fail_on_ctrl_c(checkout: Checkout) -> None:
    (checkout.folder / "Makefile").write_text("run:\n\t@.venv/bin/python -m taskbeam serve\n")
    ours, theirs = os.openpty()
    # The first terminal that the leader of a session opens is the one whose Ctrl-C it gets.
    make = subprocess.Popen(
        ["sh", "-c", 'exec make run <>"$0" >&0 2>&0', os.ttyname(theirs)],
        cwd=checkout.folder,
        env=checkout.environment,
        start_new_session=True,
    )
    said = b""

    def read() -> bool:
        nonlocal said
        assert select.select([ours], [], [], 60)[0], said
        try:
            said += os.read(ours, 65536)
        except OSError:  # no process has the terminal open any more
            return False
        return True

    try:
        while b"taskbeam: ready at http" not in said:
            assert read(), said
        os.close(theirs)
        os.write(ours, b"\x1a\x03\x03")  # Ctrl-Z, which must not leave it asleep, and an impatient Ctrl-C
        while read():
            pass
        assert make.wait(STOP_SECONDS) == 0, said
    finally:
        os.close(ours)  # the hang-up ends all that still runs
        make.kill()
        make.wait()
    assert b"Traceback" not in said
    assert b"make: ***" not in said


def test_no_process_outlives_a_killed_launcher_and_the_next_one_starts_at_once(checkout: Checkout) -> None:
    def ready() -> int:
        return checkout.log.read_text().count("ready at http")

    with checkout.serving() as launcher:
        wait_until(lambda: ready() == 1, SECONDS, "readiness")
        processes = psutil.Process(launcher.pid).children(recursive=True)
        launcher.kill()
        with checkout.serving():
            wait_until(lambda: ready() == 2, SECONDS, "readiness of the next")
            assert psutil.wait_procs(processes, timeout=STOP_SECONDS)[1] == []
            assert all(checkout.is_ready(port) for port in (checkout.ws_port, checkout.rest_port))


def test_no_process_outlives_a_killed_supervisord_and_its_files_do_no_harm(checkout: Checkout) -> None:
    with checkout.serving() as launcher:
        wait_until(lambda: "ready at http" in checkout.log.read_text(), SECONDS, "readiness")
        supervisord = psutil.Process(int((checkout.folder / "var" / "supervisord.pid").read_text()))
        left = set(psutil.Process(launcher.pid).children(recursive=True)) - {supervisord}
        assert len(left) == 4  # three servers, and the relay of their output
        supervisord.kill()
        assert launcher.wait(STOP_SECONDS) == 1
        assert psutil.wait_procs(left, timeout=STOP_SECONDS)[1] == []
    assert (checkout.folder / "var" / "supervisor.sock").exists()
    checkout.log.write_text("")
    with checkout.serving():
        wait_until(
            lambda: "ready at http" in checkout.log.read_text(), SECONDS, "readiness with a stale socket"
        )
        assert "is served already, by process" in checkout.serve_to_the_end().stdout


@pytest.mark.parametrize("name", ["WS", "REST"])
def test_launcher_names_a_port_in_use(checkout: Checkout, name: str) -> None:
    port = int(checkout.environment[f"TASKBEAM_{name}_PORT"])
    # Another program that would let a worker share its port.
    with socket.create_server(("127.0.0.1", port), reuse_port=True):
        ended = checkout.serve_to_the_end()
    assert ended.returncode == 1
    assert ended.stdout == (
        f"taskbeam: port {port} is already in use: "
        f"stop what listens there, or set TASKBEAM_{name}_PORT to another\n"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TASKBEAM_WS_PORT", "http"),
        ("TASKBEAM_REST_PORT", "70000"),
        ("TASKBEAM_WS_HOST", "-"),
        ("WORKERS", "0"),
    ],
)
def test_launcher_names_a_bad_variable(checkout: Checkout, name: str, value: str) -> None:
    checkout.environment[name] = value
    ended = checkout.serve_to_the_end()
    assert ended.returncode == 2
    assert ended.stdout.startswith(f"taskbeam: {name}: ")
    assert ended.stdout.count("\n") == 1


def test_status_two_is_final(checkout: Checkout) -> None:
    checkout.replace("rest_gateway", "import time; time.sleep(2); raise SystemExit(2)")
    ended = checkout.serve_to_the_end()
    assert ended.returncode == 1
    assert "taskbeam: rest_gateway stopped over its settings" in ended.stdout
    assert ended.stdout.count("spawned: 'rest_gateway'") == 1


def test_launcher_refuses_a_path_too_long_for_a_socket(checkout: Checkout) -> None:
    checkout.folder /= "x" * 100
    checkout.folder.mkdir()
    ended = checkout.serve_to_the_end()
    assert ended.returncode == 1
    assert re.fullmatch(r"taskbeam: the path of the data folder is \d+ bytes too long .*\n", ended.stdout)


def test_launcher_keeps_running_without_a_reader_of_its_output(checkout: Checkout) -> None:
    """Its output is a socket, as under systemd. supervisord alone could do neither."""
    ours, theirs = socket.socketpair()
    ours.settimeout(60)
    launcher = subprocess.Popen(
        [sys.executable, *SERVE],
        cwd=checkout.folder,
        env=checkout.environment,
        stdin=subprocess.DEVNULL,
        stdout=theirs.fileno(),
        stderr=theirs.fileno(),
    )
    theirs.close()
    try:
        with ours, ours.makefile() as lines:
            assert any("ready at http" in line for line in lines)
        checkout.wait_for_all()
        for name in (GATEWAY, WORKERS[0]):
            checkout.kill(name)  # supervisord logs something
        launcher.terminate()
        assert launcher.wait(STOP_SECONDS) == 0
    finally:
        launcher.kill()
        launcher.wait()
