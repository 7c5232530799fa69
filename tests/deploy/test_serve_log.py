"""The log of `taskbeam serve`: JSON from start to stop where that is asked for, and no matter of life and death."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import psutil
import pytest

from tests.deploy.checkout import SECONDS, SERVE, STOP_SECONDS, Checkout
from tests.support.raw_http import exchange
from tests.support.waiting import wait_until

GATEWAY: Final = "taskbeam:rest_gateway"


@pytest.fixture
def json_checkout(checkout: Checkout) -> Checkout:
    checkout.environment |= {"TASKBEAM_LOG_FORMAT": "json", "WORKERS": "1"}
    return checkout


@contextmanager
def serving_into_a_pipe(checkout: Checkout) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """`taskbeam serve`, and the reading end of a small pipe that is its standard output and standard error."""
    reader, output = os.pipe()
    fcntl.fcntl(output, fcntl.F_SETPIPE_SZ, 4096)
    process = subprocess.Popen(
        [sys.executable, *SERVE],
        cwd=checkout.folder,
        env=checkout.environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    os.close(output)
    below: list[psutil.Process] = []
    try:
        wait_until(
            lambda: all(map(checkout.is_ready, (checkout.ws_port, checkout.rest_port))), SECONDS, "readiness"
        )
        below = psutil.Process(process.pid).children(recursive=True)
        yield process, reader
        assert psutil.wait_procs(below, timeout=STOP_SECONDS)[1] == []
    finally:
        process.kill()
        process.wait()
        for one in below:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        os.close(reader)


def _objects(text: str) -> list[dict[str, Any]]:
    made = [json.loads(line) for line in text.splitlines()]
    assert all(
        isinstance(one, dict) and {"time", "level", "process", "logger", "message"} <= one.keys()
        for one in made
    )
    return made


def test_every_line_is_a_json_object_from_start_to_stop(json_checkout: Checkout) -> None:
    with json_checkout.serving() as process:
        wait_until(lambda: "ready at http" in json_checkout.log.read_text(), SECONDS, "readiness")
        wait_until(lambda: len(json_checkout.pids()) == 2, SECONDS, "both run")
        json_checkout.kill(GATEWAY)
        wait_until(
            lambda: json_checkout.is_ready(json_checkout.rest_port), SECONDS, "the gateway serves again"
        )
        process.terminate()
        assert process.wait(STOP_SECONDS) == 0
    lines = _objects(json_checkout.log.read_text())
    said = [f"{line['process']} {line['level']} {line['message']}" for line in lines]
    for expected in (
        "supervisord info spawned: 'rest_gateway' with pid ",
        f"taskbeam info ready at http://127.0.0.1:{json_checkout.rest_port}/",
        "supervisord warning exited: rest_gateway (terminated by SIGKILL; not expected)",
        "rest_gateway info stopping",
        "supervisord warning stopped: rest_gateway (exit status 0)",
    ):
        assert any(one.startswith(expected) for one in said), expected


def test_what_serve_itself_says_is_json_too(json_checkout: Checkout) -> None:
    json_checkout.environment |= {"TASKBEAM_WS_PRT": "1", "TASKBEAM_REST_PORT": "http"}
    ended = json_checkout.serve_to_the_end()
    assert ended.returncode == 2
    assert [
        (line["process"], line["level"], line["message"].split(":")[0]) for line in _objects(ended.stdout)
    ] == [
        ("taskbeam", "critical", "TASKBEAM_WS_PRT"),
        ("taskbeam", "critical", "TASKBEAM_REST_PORT"),
    ]
    del json_checkout.environment["TASKBEAM_WS_PRT"]
    json_checkout.environment["TASKBEAM_REST_PORT"] = str(json_checkout.rest_port)
    with socket.create_server(("127.0.0.1", json_checkout.rest_port)):
        ended = json_checkout.serve_to_the_end()
    assert ended.returncode == 1
    [line] = _objects(ended.stdout)
    assert line["message"].startswith(f"port {json_checkout.rest_port} is already in use: ")


def test_a_settings_file_that_cannot_be_read_is_said_in_the_form_of_the_environment(
    json_checkout: Checkout,
) -> None:
    ended = subprocess.run(
        [sys.executable, *SERVE, "--env-file", "no-file"],
        cwd=json_checkout.folder,
        env=json_checkout.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert len(_objects(ended.stderr)) == 1
    assert ended.stdout == ""


def test_an_output_that_nobody_reads_stops_nothing(json_checkout: Checkout) -> None:
    request = f"GET /nowhere/{'x' * 500} HTTP/1.1\r\nHost: x\r\nX-Request-ID: {'y' * 128}\r\n\r\n"
    last = request.replace("Host: x", "Host: x\r\nConnection: close")
    with serving_into_a_pipe(json_checkout) as (process, reader):
        answers = exchange(json_checkout.rest_port, request.encode() * 999 + last.encode())
        assert answers.count(b"HTTP/1.1 404 ") == 1000
        # supervisord relays what the servers say, and answers meanwhile.
        wait_until(lambda: len(json_checkout.pids()) == 2, SECONDS, "supervisord answers")
        assert all(map(json_checkout.is_ready, (json_checkout.ws_port, json_checkout.rest_port)))
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_SECONDS / 2) == 0
        with os.fdopen(os.dup(reader), "rb") as log:
            *lines, _ = log.read().decode().split("\n")
    assert _objects("\n".join(lines))


def test_an_end_of_the_relay_ends_all_and_is_said(json_checkout: Checkout) -> None:
    with json_checkout.serving() as process:
        wait_until(lambda: "ready at http" in json_checkout.log.read_text(), SECONDS, "readiness")
        below = psutil.Process(process.pid).children(recursive=True)
        [relay] = [one for one in below if "taskbeam.relay" in one.cmdline()]
        assert relay.cmdline()[-2:] == ["json", f"{json_checkout.data}/taskbeam.db-metrics"]
        relay.kill()
        assert process.wait(STOP_SECONDS) == 1
        assert psutil.wait_procs(below, timeout=STOP_SECONDS)[1] == []
    last = _objects(json_checkout.log.read_text())[-1]
    assert (last["level"], last["message"]) == ("critical", "the relay of the log ended with status -9")
