"""``watch``: on a terminal of its own, and into a pipe; its server restarts meanwhile."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from taskbeam.errors import ExitStatus
from tests.support.clients import Rest, new_account
from tests.support.processes import System, running
from tests.support.terminal import Terminal
from tests.taskbeam.person import Person

_SECONDS = 20.0


@pytest.fixture(scope="module")
def restartable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running(tmp_path_factory.mktemp("restartable")) as system:
        yield system


@pytest.fixture
def watcher(tmp_path: Path, restartable: System) -> Person:
    person = Person(tmp_path / "config", restartable, new_account(restartable))
    person.log_in()
    return person


def test_on_a_terminal(watcher: Person, restartable: System) -> None:
    watcher.do("add", "Buy milk")
    terminal = Terminal("taskbeam", "watch", environ=watcher.environ)
    try:
        terminal.wait_for("connected")
        terminal.wait_for("1 open, 0 done")
        terminal.wait_for("Buy milk")
        watcher.do("add", "Walk the dog")
        terminal.wait_for("added Walk the dog")
        restartable.ws.stop()
        terminal.wait_for("disconnected, trying again")
        watcher.do("done", watcher.json("ls")[0]["uuid"])
        restartable.ws.start()
        terminal.wait_for("1 open, 1 done")
        terminal.wait_for("done Buy milk")
        assert terminal.interrupt() == 0
    finally:
        terminal.process.kill()
        if restartable.ws.popen is not None and restartable.ws.popen.poll() is not None:
            restartable.ws.start()
    assert terminal.raw.endswith("\x1b[?25h\x1b[?1049l"), "the terminal is as it was, with its cursor"
    assert "Traceback" not in terminal.raw


@contextmanager
def _watching(person: Person, *options: str) -> Iterator[subprocess.Popen[str]]:
    command = ["taskbeam", "watch", *options]
    with subprocess.Popen(
        command, env=person.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _line(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline().removesuffix("\n")


def test_into_a_pipe(watcher: Person) -> None:
    (milk,) = watcher.json("add", "Buy milk")
    with _watching(watcher) as process:
        assert _line(process.stderr) == "connected"
        assert _line(process.stdout) == f"task\t{milk['uuid']}\topen\t{milk['time_modified']}\tBuy milk"
        (milk,) = watcher.json("done", milk["uuid"])
        assert _line(process.stdout) == f"update\t{milk['uuid']}\tdone\t{milk['time_modified']}\tBuy milk"
        watcher.do("rm", milk["uuid"])
        assert _line(process.stdout) == f"delete\t{milk['uuid']}"
        process.send_signal(signal.SIGINT)
        assert process.wait(_SECONDS) == 0
        assert process.communicate() == ("", "")


def test_as_json(watcher: Person) -> None:
    with _watching(watcher, "--json") as process:

        def event() -> Any:
            return json.loads(_line(process.stdout))

        assert event() == {"event": "connected"}
        assert event() == {"event": "snapshot", "seq": 0, "tasks": []}
        (task,) = watcher.json("add", "Buy milk")
        assert event() == {"event": "create", "seq": 1, "task_id": task["uuid"], "task": task}
        process.terminate()
        assert process.wait(_SECONDS) == 0


def test_a_session_that_ends(watcher: Person) -> None:
    with _watching(watcher) as process:
        assert _line(process.stderr) == "connected"
        kept = json.loads((watcher.folder / "taskbeam" / "logins.json").read_text())
        (login,) = kept["logins"].values()
        Rest(watcher.system)("POST", "/logout/", {"refresh": login["refresh"]})
        assert process.wait(_SECONDS) == ExitStatus.LOGIN_OVER
        _, said = process.communicate()
        assert said.splitlines()[-1].endswith(
            f"taskbeam login {watcher.account.username} --url {watcher.system.rest_url}"
        )


def test_a_reader_that_goes_away(watcher: Person) -> None:
    with _watching(watcher) as process:
        assert _line(process.stderr) == "connected"
        assert process.stdout is not None
        process.stdout.close()
        watcher.do("add", "Buy milk")
        assert process.wait(_SECONDS) == 1
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def test_a_server_that_is_away(watcher: Person) -> None:
    assert watcher.fails("watch", "--url", "http://127.0.0.1:1", status=ExitStatus.LOGIN_OVER).startswith(
        "You are not logged in at"
    )
