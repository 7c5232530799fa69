"""A database that is copied to PostgreSQL and back while its clients are away: they go on where they were, with the tokens they have."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from shared.auth.key_file import read_keys
from tests.shared.store.postgres.engine import PostgresEngine
from tests.support.clients import PASSWORD, Account, Answer, Rest, connected, new_account
from tests.support.command_line import succeed, taskbeam
from tests.support.processes import System, running
from tests.taskbeam_client.support import Recorder, as_json, equals_server, new_client, rest


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    """On SQLite, with a key that it has made."""
    with running(
        tmp_path,
        DATABASE_URL=f"sqlite:///{tmp_path}/taskbeam.db",
        EVENTS_URL="",
        SECRET_KEY="",
        ROTATE_REFRESH_TOKENS="true",
    ) as system:
        yield system


def _move(system: System, url: str) -> None:
    """Stop, copy, start again on the copy."""
    for process in system.processes:
        assert process.stop() == 0
    folder = system.folder / "var"
    succeed(taskbeam("copy", system.database_url, url, "--data", str(folder), environ={}))
    # As the command says, what is in the key's file on every machine.
    system.environ["TASKBEAM_SECRET_KEY"] = read_keys(system.folder / "taskbeam.db.key")[0]
    system.environ["TASKBEAM_DATABASE_URL"] = url if url.startswith("sqlite:") else f"{url}?data={folder}"
    for process in system.processes:
        process.start(ready=False)
    for process in system.processes:
        process.wait_ready()


async def test_clients_go_on_where_they_were(system: System, tmp_path: Path) -> None:
    """One that reconnects by itself, one that comes back with its cursor; and tokens are as good as they were."""
    account, other, ended = (new_account(system) for _ in range(3))
    assert ended.rest("POST", "/logout/", {"refresh": ended.refresh}).status < 300
    refresh = other.refresh
    tasks = [await rest(account, "POST", "/", {"task": f"Task {number} – żółw"}) for number in range(12)]
    await rest(account, "DELETE", f"/task/{tasks[3]['uuid']}/")
    urls = (PostgresEngine(tmp_path).url, f"sqlite:///{tmp_path}/back/taskbeam.db")
    async with new_client(system, account) as client:
        recorder = Recorder(client.changes())
        recording = asyncio.create_task(recorder.run())
        await equals_server(client, account)
        async with connected(system, account.access) as socket:
            epoch, seq = socket.auth["epoch"], socket.auth["seq"]
        snapshots = len(recorder.snapshots)
        for url in urls:
            await rest(account, "PUT", f"/task/{tasks[0]['uuid']}/", {"task": f"before {url}"})
            await asyncio.to_thread(_move, system, url)
            await rest(account, "POST", "/", {"task": f"after {url}"})
            await equals_server(client, account)
            await _assert_goes_on(system, account, epoch, seq)
            seq += 2
            refresh = await asyncio.to_thread(_exchange, system, refresh)
            assert (await asyncio.to_thread(_refresh, system, ended.refresh)).status == 401
            assert (await asyncio.to_thread(_log_in, system, other)).status == 200
        assert len(recorder.snapshots) == snapshots, "the client has resumed, it has read nothing anew"
        recorder.assert_each_once_in_order(recorder.seqs[0], seq)
        assert len(as_json(client)) == 13
        recording.cancel()
        with suppress(asyncio.CancelledError):
            await recording


async def _assert_goes_on(system: System, account: Account, epoch: str, seq: int) -> None:
    """A socket that has what there was before gets what came since."""
    async with connected(system, account.access) as socket:
        frame = await socket.ask({"mode": "sync", "epoch": epoch, "since": seq})
    assert frame["recovered"]
    assert [change["seq"] for change in frame["changes"]] == [seq + 1, seq + 2]


def _refresh(system: System, token: str) -> Answer:
    return Rest(system)("POST", "/token-refresh/", {"refresh": token})


def _exchange(system: System, token: str) -> str:
    """The next refresh token of the family."""
    answer = _refresh(system, token)
    assert answer.status == 200
    following: str = answer.body["refresh"]
    return following


def _log_in(system: System, account: Account) -> Answer:
    return Rest(system)("POST", "/login/", {"username": account.username, "password": PASSWORD})
