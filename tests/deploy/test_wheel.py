"""The wheel in an environment of its own: it serves by itself, and is all that users, operators and client programs need."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from tests.deploy.checkout import SECONDS, Checkout
from tests.deploy.wheel import Installation, Wheel, install
from tests.support.processes import ROOT
from tests.support.waiting import wait_until

_CLIENT: Final = """
import asyncio, dataclasses, json, sys
from taskbeam_client import Session, Snapshot, TaskbeamClient

async def main(rest, socket, username, password):
    session = await Session.login(rest, username, password)
    async with TaskbeamClient(socket, session) as client:
        async for event in client.changes():
            tasks = [dataclasses.asdict(task) for task in client.tasks.values()]
            print(json.dumps({"snapshot": isinstance(event, Snapshot), "tasks": tasks}), flush=True)

asyncio.run(main(*sys.argv[1:]))
"""
_USER: Final = ("ann", "correct-horse")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Wheel:
    return install(tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def installation(wheel: Wheel, checkout: Checkout) -> Installation:
    installation = Installation(wheel, checkout)
    installation.work.mkdir()
    return installation


def _log_in(installation: Installation) -> None:
    username, password = _USER
    rest, socket = installation.addresses
    installation.run(
        *("login", username, "--password-stdin", "--url", rest, "--socket", socket), stdin=f"{password}\n"
    )


def test_the_page_for_browsers_comes_with_its_client(wheel: Wheel) -> None:
    [page] = wheel.folder.glob("lib/*/site-packages/rest_gateway/web")
    checkout = [*(ROOT / "rest_gateway/web").iterdir(), ROOT / "clients/js/taskbeam.js"]
    assert {path.name: path.read_bytes() for path in page.iterdir()} == {
        path.name: path.read_bytes() for path in checkout
    }


@pytest.mark.timeout(300)
def test_the_whole_story(installation: Installation) -> None:
    """Serve, register, log in, add, watch, back up, delete, stop, restore, serve, log in: who was connected has the backup's tasks."""
    files = installation.wheel.files()
    backup = str(installation.checkout.folder / "monday.db")
    data = ("--data", str(installation.data))
    watch: list[str | Path] = [installation.wheel.taskbeam, "watch", "--json"]
    client: list[str | Path] = [installation.wheel.python, "-c", _CLIENT, *installation.addresses, *_USER]

    with ExitStack() as followers:
        with installation.serving():
            account = dict(zip(("username", "password"), _USER, strict=True))
            assert installation.checkout.request("POST", "/register/", account)[0] == 201
            _log_in(installation)
            watched = followers.enter_context(installation.following("watch", *watch))
            connected = followers.enter_context(installation.following("client", *client))
            [milk] = installation.run_json("add", "Buy milk", "--description", "2 litres")
            installation.run_json("add", "Walk the dog")
            installation.run("done", milk["uuid"])
            kept = installation.run_json("ls")
            assert [(task["task"], task["completed"]) for task in kept] == [
                ("Buy milk", True),
                ("Walk the dog", False),
            ]
            wait_until(lambda: connected.last().get("tasks") == kept, SECONDS, "the client has the tasks")

            installation.run("backup", backup, "--with-key", *data)
            installation.run("rm", *(task["uuid"] for task in kept))
            [late] = installation.run_json("add", "Made after the backup")
            wait_until(
                lambda: connected.last().get("tasks") == [late], SECONDS, "the client has seen them go"
            )
            wait_until(lambda: watched.last().get("task") == late, SECONDS, "so has the one who watches")
            assert "is in use: stop Taskbeam first" in installation.run("restore", backup, *data, status=1)
        installation.run("restore", backup, *data)
        assert "PROBLEM" not in installation.run("check", *data)

        with installation.serving():
            wait_until(
                lambda: connected.last().get("tasks") == kept, SECONDS, "the client has the restored tasks"
            )
            assert connected.last()["snapshot"]
            wait_until(lambda: watched.last().get("tasks") == kept, SECONDS, "so has the one who watches")
            assert watched.last()["event"] == "snapshot"
            _log_in(installation)
            assert installation.run_json("ls") == kept
            [new] = installation.run_json("add", "Made after the restore")
            wait_until(
                lambda: connected.last().get("tasks") == [*kept, new],
                SECONDS,
                "the client goes on from there",
            )
    assert list(installation.work.iterdir()) == []
    assert installation.wheel.files() == files
