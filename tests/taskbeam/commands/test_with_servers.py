"""Operators' commands beside servers that run, and clients that are connected to them."""

from __future__ import annotations

import asyncio
import json
import shlex
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from taskbeam_client import Snapshot
from tests.support.clients import PASSWORD, Account, Rest, connected, new_account
from tests.support.command_line import fail, succeed, taskbeam, taskbeam_beside
from tests.support.databases import require_sqlite
from tests.support.postgresql import postgresql_programs
from tests.support.processes import System, running
from tests.support.waiting import until
from tests.taskbeam_client.support import WAIT, Recorder, as_json, equals_server, new_client, rest

_WITHIN_SECONDS = 1.0
_SLACK_SECONDS = 3.0  # on a busy machine


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """With a key of its own, and two workers."""
    with running(tmp_path_factory.mktemp("served"), workers=2, SECRET_KEY="") as system:
        yield system


@pytest.mark.parametrize(
    ("arguments", "detail"),
    [
        (["user", "disable"], "User is inactive"),
        (["user", "rm", "--yes"], "User not found"),
        (["user", "passwd"], None),
    ],
)
async def test_sockets_and_tokens_of_a_user_end_within_a_second(
    served: System, arguments: list[str], detail: str | None
) -> None:
    account, other = new_account(served), new_account(served)
    async with (
        connected(served, account.access) as socket,
        connected(served, account.access) as second,
        connected(served, other.access) as bystander,
    ):
        succeed(
            await taskbeam_beside(
                *arguments, account.username, environ=served.environ, stdin="another password\n"
            )
        )
        begin = time.monotonic()
        assert [await each.closed() for each in (socket, second)] == [4403, 4403]
        assert time.monotonic() - begin < _WITHIN_SECONDS + _SLACK_SECONDS
        assert (await bystander.ask({"mode": "ping"}))["type"] == "pong"
        refused = await asyncio.to_thread(account.rest, "GET", "/")
        assert refused.status == 401
        if detail is not None:
            assert refused.body["detail"] == detail


async def test_a_user_who_is_enabled_again_logs_in_anew(served: System) -> None:
    account = new_account(served)
    for verb in ("disable", "enable"):
        succeed(await taskbeam_beside("user", verb, account.username, environ=served.environ))
    refused = await asyncio.to_thread(account.rest, "GET", "/")
    assert refused.status == 401
    credentials = {"username": account.username, "password": PASSWORD}
    answer = await asyncio.to_thread(Rest(served), "POST", "/login/", credentials)
    assert answer.status == 200


async def test_an_issued_token_opens_a_socket(served: System) -> None:
    account = new_account(served)
    issued = succeed(
        await taskbeam_beside("token", "issue", account.username, "--json", environ=served.environ)
    )
    async with connected(served, json.loads(issued)["access"]) as socket:
        assert socket.auth["user_id"] == account.id


async def test_a_backup_under_load_is_sound_and_keeps_nobody_waiting(served: System, tmp_path: Path) -> None:
    require_sqlite()
    account = new_account(served)
    slowest = 0.0
    async with connected(served, account.access, push=False) as socket:

        async def write() -> None:
            nonlocal slowest
            while True:
                begin = time.monotonic()
                answer = await socket.ask({"mode": "create", "data": {"task": "x" * 200}})
                assert answer["type"] == "task.update", answer
                slowest = max(slowest, time.monotonic() - begin)

        writing = asyncio.create_task(write())
        for number in range(3):
            succeed(await taskbeam_beside("backup", str(tmp_path / f"{number}.db"), environ=served.environ))
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing
    assert slowest < 1 + _SLACK_SECONDS
    for number in range(3):
        url = f"sqlite:///{tmp_path}/{number}.db"
        findings = json.loads(
            succeed(await taskbeam_beside("check", "--json", "--database", url, environ=served.environ))
        )
        assert all(finding["level"] != "problem" for finding in findings), findings


async def test_check_and_stats_beside_the_servers(served: System) -> None:
    checked = await taskbeam_beside("check", "--json", environ=served.environ)
    problems = [finding["text"] for finding in json.loads(checked.stdout) if finding["level"] == "problem"]
    # PostgreSQL in tests does not wait for the disk.
    assert [problem for problem in problems if "does not wait for the disk" not in problem] == []
    assert json.loads(succeed(await taskbeam_beside("stats", "--json", environ=served.environ)))["size"] > 0


async def test_a_database_that_is_served_is_not_restored(served: System, tmp_path: Path) -> None:
    require_sqlite()
    backup = str(tmp_path / "backup.db")
    succeed(await taskbeam_beside("backup", backup, environ=served.environ))
    said = fail(await taskbeam_beside("restore", backup, environ=served.environ))
    assert said == f"taskbeam: {served.database} is in use: stop Taskbeam first"


@pytest.fixture
def restored(tmp_path: Path) -> Iterator[System]:
    with running(tmp_path, SECRET_KEY="") as system:
        yield system


async def test_a_client_that_was_connected_ends_with_exactly_the_restored_state(
    restored: System, tmp_path: Path
) -> None:
    """It is told by a snapshot. Its tokens are those of the backup, whose key stands beside it."""
    system, backup = restored, str(tmp_path / "backup.db")
    account = new_account(system)
    async with new_client(system, account) as client:
        recorder = Recorder(client.changes())
        recording = asyncio.create_task(recorder.run())
        for number in range(3):
            await rest(account, "POST", "/", {"task": f"kept {number}"})
        await equals_server(client, account)
        kept = as_json(client)
        await asyncio.to_thread(_back_up, system, backup)
        for task in kept:
            await rest(account, "DELETE", f"/task/{task['uuid']}/")
        await rest(account, "POST", "/", {"task": "made after the backup"})
        await equals_server(client, account)
        snapshots = len(recorder.snapshots)

        await asyncio.to_thread(_stop, system)
        await asyncio.to_thread(_restore, system, backup)
        await asyncio.to_thread(system.start)
        await until(lambda: as_json(client) == kept, WAIT, "the client has the restored tasks")
        await equals_server(client, account)
        await until(lambda: len(recorder.snapshots) > snapshots, WAIT, "a snapshot")
        assert isinstance(recorder.events[-1], Snapshot)
        recording.cancel()
        with suppress(asyncio.CancelledError):
            await recording


def _back_up(system: System, file: str) -> None:
    if system.database_url.startswith("sqlite:"):
        succeed(taskbeam("backup", file, "--with-key", environ=system.environ))
    else:
        said = fail(taskbeam("backup", file, environ=system.environ))
        _run_program(said.partition("its own backups: ")[2])


def _restore(system: System, file: str) -> None:
    if system.database_url.startswith("sqlite:"):
        succeed(taskbeam("restore", file, environ=system.environ))
        return
    system.execute("DROP SCHEMA public CASCADE")
    system.execute("CREATE SCHEMA public")
    said = fail(taskbeam("restore", file, environ=system.environ))
    _run_program("pg_restore" + said.partition(" by pg_restore")[2].partition(", then run ")[0])
    succeed(taskbeam("new-epoch", environ=system.environ))


def _run_program(command: str) -> None:
    name, *arguments = shlex.split(command)
    subprocess.run([postgresql_programs() / name, *arguments], check=True, timeout=60)


async def test_a_new_epoch_ends_the_servers_which_then_serve_it(tmp_path: Path) -> None:
    with running(tmp_path, SECRET_KEY="") as system:
        account = new_account(system)
        if system.database_url.startswith("sqlite:"):
            said = fail(await taskbeam_beside("new-epoch", environ=system.environ))
            assert said == "taskbeam: a database of SQLite gets its new epoch from taskbeam restore"
            return
        former = account.rest("GET", "/").headers["X-Taskbeam-Epoch"]
        made = json.loads(succeed(await taskbeam_beside("new-epoch", "--json", environ=system.environ)))
        for process in system.processes:
            assert process.popen is not None
            assert await asyncio.to_thread(process.popen.wait, WAIT) == 1
            assert "another epoch now" in process.log.read_text()
            assert "Traceback" not in process.log.read_text()
        await asyncio.to_thread(system.start)
        assert made["epoch"] == account.rest("GET", "/").headers["X-Taskbeam-Epoch"] != former
        answer = account.rest("GET", f"/changes/?epoch={former}&since=0").body
        assert (answer["recovered"], answer["reason"]) == (False, "epoch_changed")


def _stop(system: System) -> None:
    for process in system.processes:
        assert process.stop() == 0


async def test_processes_take_the_new_key_and_former_tokens_stay_good(restored: System) -> None:
    system = restored
    account: Account = new_account(system)
    succeed(await taskbeam_beside("key", "rotate", environ=system.environ))
    for process in system.processes:
        assert process.popen is not None
        status = await asyncio.to_thread(process.popen.wait, WAIT)
        assert status == 1, process.log.read_text()
    await asyncio.to_thread(system.start)
    assert (await asyncio.to_thread(account.rest, "GET", "/")).status == 200
    newer = await asyncio.to_thread(new_account, system)
    async with connected(system, account.access), connected(system, newer.access):
        pass
