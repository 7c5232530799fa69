"""The client against processes that die, connections that break, tokens that end and histories that vanish."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator

import pytest

from taskbeam_client import Backoff, Change, Conflict, Session, Snapshot, TaskbeamClient
from tests.support.clients import Account, new_account
from tests.support.processes import System, running
from tests.support.waiting import until
from tests.taskbeam_client.support import (
    WAIT,
    Recorder,
    as_json,
    equals_server,
    new_client,
    rest,
    server_tasks,
)


@pytest.fixture(scope="module")
def own_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One that the tests here may stop, as long as they start it again."""
    with running(tmp_path_factory.mktemp("faults"), MESSAGES_PER_SECOND="0") as system:
        yield system


@pytest.fixture
def own_account(own_system: System) -> Account:
    return new_account(own_system)


async def in_thread(*steps: object) -> None:
    """Starting and stopping processes blocks."""
    for step in steps:
        assert callable(step)
        await asyncio.to_thread(step)


def stop_all(system: System) -> None:
    for process in system.processes:
        assert process.stop() == 0


def start_all(system: System) -> None:
    for process in system.processes:
        process.start(ready=False)
    for process in system.processes:
        process.wait_ready()


async def test_resumes_after_forced_disconnects(own_system: System, own_account: Account) -> None:
    async with new_client(own_system, own_account) as client, asyncio.TaskGroup() as group:
        recorder = Recorder(client.changes())
        reading = group.create_task(recorder.run())
        for number in range(10):
            await client.ready()
            before = client.statistics.connections
            client.drop_connection()
            await rest(own_account, "POST", "/", {"task": f"While away {number}"})
            await until(lambda before=before: client.statistics.connections > before, WAIT, "connected again")  # type: ignore[misc]
        await equals_server(client, own_account)
        await until(lambda: len(recorder.seqs) == 10, WAIT, "all changes are seen")
        recorder.assert_each_once_in_order(1, 10)
        assert client.statistics.snapshots == 1
        assert (client.statistics.gaps, client.statistics.duplicates) == (0, 0)
        reading.cancel()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_resumes_after_a_restart_of_the_server(
    own_system: System, own_account: Account, number: signal.Signals
) -> None:
    async with new_client(own_system, own_account) as client:
        await client.create("Before")
        stop = own_system.ws.kill if number == signal.SIGKILL else own_system.ws.stop
        await in_thread(stop)
        await until(lambda: not client.connected, WAIT, "the client knows")
        offline = [client.create(f"Offline {number}") for number in range(5)]
        renamed = client.update(next(iter(client.tasks)), task="Renamed offline")
        chained = client.update(next(iter(client.tasks)), completed=True)
        await rest(own_account, "POST", "/", {"task": "Over REST meanwhile"})
        await in_thread(own_system.ws.start)
        assert [(await future).task for future in offline] == [f"Offline {number}" for number in range(5)]
        assert ((await renamed).rev, (await chained).rev) == (2, 3)
        assert client.seq == 9
        assert client.statistics.snapshots == 1
        await equals_server(client, own_account)


async def test_a_write_that_was_on_its_way_is_done_once(own_system: System, own_account: Account) -> None:
    """The connection is cut right after the request has left: at some cuts it is done, at others not."""
    async with new_client(own_system, own_account, backoff=Backoff(0.05, 0.1)) as client:
        made = await client.create("A task")
        expected = client.seq
        for number in range(12):
            await client.ready()
            future = client.update(made.uuid, task=f"Text {number}")
            for _ in range(number % 6):  # a few turns of the loop, to cut at several places
                await asyncio.sleep(0)
            client.drop_connection()
            assert (await future).task == f"Text {number}"
            expected += 1
            created = client.create(f"Also {number}")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            client.drop_connection()
            await created
            expected += 1
            gone = client.delete((await created).uuid)
            for _ in range(number % 6):
                await asyncio.sleep(0)
            client.drop_connection()
            await gone
            expected += 1
        assert client.seq == expected
        assert client.tasks[made.uuid].rev == 13
        await equals_server(client, own_account)


async def test_an_offline_update_conflicts_with_what_came_meanwhile(
    own_system: System, own_account: Account
) -> None:
    async with new_client(own_system, own_account) as client:
        made = await client.create("A task")
        await in_thread(own_system.ws.kill)
        await until(lambda: not client.connected, WAIT, "the client knows")
        mine = client.update(made.uuid, task="Mine")
        await rest(own_account, "PATCH", f"/task/{made.uuid}/", {"task": "Theirs"})
        await in_thread(own_system.ws.start)
        with pytest.raises(Conflict) as conflict:
            await mine
        assert conflict.value.task is not None
        assert conflict.value.task.task == "Theirs"
        await equals_server(client, own_account)


async def test_history_gone_falls_back_to_a_snapshot(own_system: System, own_account: Account) -> None:
    async with new_client(own_system, own_account) as client:
        stream = client.changes()
        kept = await client.create("Kept")
        await in_thread(own_system.ws.stop)
        for number in range(5):
            await rest(own_account, "POST", "/", {"task": f"Task {number}"})
        await in_thread(lambda: stop_all(own_system))
        own_system.execute("DELETE FROM changes WHERE user_id = :id AND seq < 4", id=own_account.id)
        offline = client.update(kept.uuid, completed=True)
        await in_thread(lambda: start_all(own_system))
        assert (await offline).rev == 2
        assert client.seq == 7
        assert client.statistics.snapshots == 2
        await equals_server(client, own_account)
    events = [event async for event in stream]
    assert [(type(event), event.seq) for event in events] == [
        (Snapshot, 0),
        (Change, 1),
        (Snapshot, 6),
        (Change, 7),
    ]


async def test_a_new_epoch_falls_back_to_a_snapshot(own_system: System, own_account: Account) -> None:
    async with new_client(own_system, own_account) as client:
        made = await client.create("A task")
        old_epoch = client.epoch
        await in_thread(lambda: stop_all(own_system))
        own_system.execute("UPDATE meta SET value = 'another' WHERE key = 'epoch'")
        await until(lambda: not client.connected, WAIT, "the client knows")
        update, create = client.update(made.uuid, completed=True), client.create("Offline")
        await in_thread(lambda: start_all(own_system))
        with pytest.raises(Conflict) as conflict:
            await update
        assert conflict.value.task == made
        await create
        assert (old_epoch != "another", client.epoch) == (True, "another")
        assert client.statistics.snapshots == 2
        await equals_server(client, own_account)


async def test_a_cursor_ahead_of_the_server_falls_back(own_system: System, own_account: Account) -> None:
    """As after a restore that kept the epoch, which must not be; still, the copy comes right."""
    async with new_client(own_system, own_account) as client:
        await client.create("One")
        two = await client.create("Two")
        await in_thread(lambda: stop_all(own_system))
        own_system.execute("DELETE FROM changes WHERE user_id = :id AND seq = 2", id=own_account.id)
        own_system.execute("DELETE FROM tasks WHERE uuid = :uuid", uuid=two.uuid)
        own_system.execute("UPDATE feeds SET seq = 1, tasks = 1 WHERE user_id = :id", id=own_account.id)
        if own_system.database_url.startswith("sqlite:"):
            own_system.execute(
                """UPDATE feeds SET last = (SELECT position FROM changes WHERE changes.user_id = feeds.user_id)
                   WHERE user_id = :id""",
                id=own_account.id,
            )
        await until(lambda: not client.connected, WAIT, "the client knows")
        await in_thread(lambda: start_all(own_system))
        await client.ready()
        assert client.seq == 1
        await equals_server(client, own_account)


@pytest.fixture(scope="module")
def short_lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Access tokens end after three seconds."""
    with running(tmp_path_factory.mktemp("tokens"), ACCESS_TOKEN_SECONDS="3") as system:
        yield system


class CountedTokens:
    """A session that says how often it was asked, and may be out of order."""

    def __init__(self, system: System, account: Account) -> None:
        self._session = Session(system.rest_url, account.refresh)
        self.given = 0
        self.fail = False

    async def __call__(self) -> str:
        if self.fail:
            raise OSError("the gateway is away")
        self.given += 1
        return await self._session()


async def test_tokens_are_renewed_in_time(short_lived: System) -> None:
    account = await asyncio.to_thread(new_account, short_lived)
    tokens, late = CountedTokens(short_lived, account), CountedTokens(short_lived, account)
    client = TaskbeamClient(short_lived.ws_url, tokens, connect_options={"proxy": None})
    interrupted = TaskbeamClient(
        short_lived.ws_url, late, backoff=Backoff(0.1, 0.5), connect_options={"proxy": None}
    )
    async with client, interrupted:
        await client.ready()
        await interrupted.ready()
        late.fail = True
        await until(lambda: not interrupted.connected, WAIT, "the server closes with 4401")
        late.fail = False
        await interrupted.ready()
        await until(lambda: tokens.given >= 4, WAIT, "the token was renewed on the live connection")
        assert client.statistics.connections == 1
        assert tokens.given < 10
        await client.create("Still here")
        await until(lambda: as_json(client) == as_json(interrupted), WAIT, "both are the same")


async def test_a_client_may_start_before_the_server(own_system: System, own_account: Account) -> None:
    await in_thread(lambda: stop_all(own_system))
    async with new_client(own_system, own_account) as client:
        made = client.create("Early")
        await in_thread(lambda: start_all(own_system))
        await made
        assert (await server_tasks(own_account))[1] == as_json(client)
