"""`taskbeam serve` and `taskbeam supervisorctl`: real processes, which are killed, and served anew."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil

from tests.deploy.checkout import SECONDS, SERVE, STOP_SECONDS, Checkout
from tests.support.waiting import wait_until


def _wait_ready(checkout: Checkout, times: int = 1) -> None:
    wait_until(lambda: checkout.log.read_text().count("ready at http") == times, SECONDS, "readiness")


def _supervisord(checkout: Checkout) -> psutil.Process:
    return psutil.Process(int((checkout.data / "supervisord.pid").read_text()))


def _taskbeam(checkout: Checkout, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "taskbeam", *arguments],
        cwd=checkout.folder,
        env=checkout.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_nothing_outlives_a_killed_launcher_and_supervisord_and_the_ports_are_free(
    checkout: Checkout,
) -> None:
    with checkout.serving() as first:
        _wait_ready(checkout)
        supervisord = _supervisord(checkout)
        left = set(psutil.Process(first.pid).children(recursive=True)) - {supervisord}
        assert len(left) == 4  # three servers, and the relay of their output
        first.kill()
        supervisord.kill()
        with checkout.serving():  # at once
            _wait_ready(checkout, 2)
            assert psutil.wait_procs(left, timeout=STOP_SECONDS)[1] == []


def test_server_by_hand_outlives_who_started_it(checkout: Checkout) -> None:
    shell = subprocess.run(
        ["sh", "-c", '"$0" -m rest_gateway >log 2>&1 & echo $!', sys.executable],
        cwd=checkout.folder,
        env={**checkout.environment, "TASKBEAM_DATABASE_URL": f"sqlite:///{checkout.data}/taskbeam.db"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    gateway = psutil.Process(int(shell.stdout))
    try:
        wait_until(lambda: checkout.is_ready(checkout.rest_port), SECONDS, "readiness")
        assert gateway.ppid() != os.getpid()
    finally:
        gateway.terminate()
        gateway.wait(STOP_SECONDS)
    assert "supervisor is gone" not in checkout.log.read_text()


def test_file_as_standard_output_has_every_line(checkout: Checkout) -> None:
    out = checkout.folder / "out"
    with out.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, *SERVE],
            cwd=checkout.folder,
            env=checkout.environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    try:
        wait_until(lambda: "ready at http" in out.read_text(), SECONDS, "readiness")
        checkout.wait_for_all()
    finally:
        process.terminate()
        assert process.wait(STOP_SECONDS) == 0
    text = out.read_text()
    assert "\0" not in text
    for line in (
        "INFO supervisord started with pid",
        "INFO spawned: 'rest_gateway'",
        "INFO ws_server: listening on",
        "INFO rest_gateway: listening on",
        "taskbeam: ready at ws://",
        "INFO rest_gateway: stopping",
        "WARN stopped: rest_gateway (exit status 0)",
    ):
        assert line in text


def test_settings_file_in_a_data_folder_elsewhere_and_its_supervisor(checkout: Checkout) -> None:
    data = checkout.folder / "made" / "data"
    data.mkdir(parents=True, mode=0o700)
    lines = [f"{name}={value}\n" for name, value in checkout.environment.items() if "TASKBEAM_" in name]
    checkout.environment = {n: v for n, v in checkout.environment.items() if "TASKBEAM_" not in n}
    del checkout.environment["WORKERS"]
    (data / ".env").touch(0o600)
    (data / ".env").write_text("".join([*lines, "WORKERS=2\n", "TASKBEAM_ALLOW_REGISTRATION=false\n"]))
    with checkout.started(*SERVE, "--data", str(data)):
        _wait_ready(checkout)
        account = {"username": "ada", "password": "correct horse battery"}
        assert checkout.request("POST", "/register/", account)[0] == 403
        told = _taskbeam(checkout, "supervisorctl", "--data", str(data), "status")
        assert [line.split()[0] for line in told.stdout.splitlines()] == [
            "taskbeam:rest_gateway",
            "taskbeam:ws_server_00",
            "taskbeam:ws_server_01",
        ]
        assert (data / "taskbeam.db").exists()
        assert not checkout.data.exists()

        checkout.environment["TASKBEAM_DATABASE_URL"] = f"sqlite:///{data}/taskbeam.db"
        second = _taskbeam(checkout, "serve", "--workers", "1")
        assert second.returncode == 1
        assert second.stderr.startswith(f"taskbeam: {data}/taskbeam.db is served already, by process ")
        assert second.stderr.count("\n") == 1


def test_supervisorctl_where_nothing_was_served(checkout: Checkout) -> None:
    told = _taskbeam(checkout, "supervisorctl", "status")
    assert told.returncode == 1
    assert told.stderr == "taskbeam: var has no supervisord.conf: nothing was served from it\n"


def test_what_is_wrong_is_said_at_once_and_nothing_is_made(checkout: Checkout) -> None:
    checkout.environment |= {"TASKBEAM_LOG_LEVEL": "LOUD", "TASKBEAM_WS_PRT": "1", "WORKERS": "none"}
    checkout.environment["TASKBEAM_REST_PORT"] = checkout.environment["TASKBEAM_WS_PORT"]
    told = _taskbeam(checkout, "serve")
    assert told.returncode == 2
    assert [line.split()[1] for line in told.stderr.splitlines()] == [
        "TASKBEAM_WS_PRT:",
        "WORKERS:",
        "TASKBEAM_LOG_LEVEL:",
        "TASKBEAM_WS_PORT",
    ]
    assert not checkout.data.exists()


def test_folder_that_cannot_be_made_is_said_in_one_line(checkout: Checkout) -> None:
    Path(checkout.folder, "file").touch()
    told = _taskbeam(checkout, "serve", "--data", "file/data")
    assert (told.returncode, told.stderr.count("\n")) == (1, 1)
    assert "Not a directory" in told.stderr
