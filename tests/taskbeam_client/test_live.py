"""The client against the real processes, while nobody disturbs them."""

from __future__ import annotations

import asyncio

import pytest

from taskbeam_client import (
    Backoff,
    ClientClosed,
    ClientDefect,
    Conflict,
    EarlierWriteFailed,
    Invalid,
    LoggedOut,
    NotFound,
    QueueFull,
    Session,
    TaskbeamClient,
    TaskbeamClientError,
)
from tests.support.clients import PASSWORD, Account
from tests.support.ports import free_port
from tests.support.processes import System
from tests.support.waiting import until
from tests.taskbeam_client.support import WAIT, Recorder, equals_server, new_client, rest


async def test_create_update_delete(system: System, account: Account) -> None:
    async with new_client(system, account) as client:
        await client.ready()
        assert client.connected
        assert not client.tasks
        made = await client.create("  Buy milk ", "2 litres")
        assert (made.task, made.description, made.rev) == ("Buy milk", "2 litres", 1)
        assert client.tasks == {made.uuid: made}
        done = await client.update(made.uuid, completed=True)
        assert (done.completed, done.rev) == (True, 2)
        await equals_server(client, account)
        await client.delete(made.uuid)
        assert client.tasks == {}
        assert client.seq == 3
        assert client.preview == {}


async def test_hears_what_others_do(system: System, account: Account) -> None:
    async with new_client(system, account) as client, asyncio.TaskGroup() as group:
        await client.ready()
        recorder = Recorder(client.changes())
        reading = group.create_task(recorder.run())
        made = await rest(account, "POST", "/", {"task": "Over REST"})
        await rest(account, "PATCH", f"/task/{made['uuid']}/", {"completed": True})
        ops = [{"mode": "create", "data": {"task": f"In a batch {number}"}} for number in range(20)]
        await rest(account, "POST", "/batch/", {"ops": ops})
        await equals_server(client, account)
        await until(lambda: len(recorder.seqs) == 22, WAIT, "all changes are seen")
        recorder.assert_each_once_in_order(1, 22)
        reading.cancel()


async def test_a_stream_begins_with_what_there_is(system: System, account: Account) -> None:
    async with new_client(system, account) as client:
        early = client.changes()
        await client.ready()
        made = await client.create("A task")
        late = client.changes()
        await client.delete(made.uuid)
    heard = [[event async for event in stream] for stream in (early, late)]
    assert [type(event).__name__ for event in heard[0]] == ["Snapshot", "Change", "Change"]
    assert [type(event).__name__ for event in heard[1]] == ["Snapshot", "Change"]
    assert [event.seq for event in heard[1]] == [1, 2]


async def test_create_is_idempotent_by_uuid(system: System, account: Account) -> None:
    async with new_client(system, account) as client:
        made = await client.create("Once")
        again = await client.create("Another text", uuid=made.uuid.upper())
        assert again == made
        assert client.seq == 1


async def test_bad_fields_are_reported(system: System, account: Account) -> None:
    async with new_client(system, account) as client:
        with pytest.raises(Invalid) as refused:
            await client.create("")
        assert refused.value.errors == {"task": ["This field may not be blank."]}
        with pytest.raises(NotFound):
            client.update("00000000-0000-4000-8000-000000000000", completed=True)


async def test_conflict_has_the_current_task(system: System, account: Account) -> None:
    async with new_client(system, account) as client:
        made = await client.create("Mine")
        await rest(account, "PATCH", f"/task/{made.uuid}/", {"task": "Theirs"})
        first = client.update(made.uuid, task="Mine again", rev=1)
        second = client.update(made.uuid, completed=True, rev=2)  # it would hold, but on a task not seen
        with pytest.raises(Conflict) as conflict:
            await first
        assert conflict.value.task is not None
        assert conflict.value.task.task == "Theirs"
        assert client.tasks[made.uuid] == conflict.value.task
        with pytest.raises(EarlierWriteFailed):
            await second
        await client.update(made.uuid, task="Both")
        with pytest.raises(Conflict):
            await client.delete(made.uuid, rev=1)
        await equals_server(client, account)


async def test_writes_on_top_of_each_other_need_no_waiting(system: System, account: Account) -> None:
    async with new_client(system, account) as client:
        made = client.create("One", uuid="11111111-2222-4333-8444-" + f"{account.id:012d}")
        (uuid,) = client.preview
        updates = [client.update(uuid, task=f"Text {number}") for number in range(5)]
        assert client.preview[uuid].rev == 6
        assert client.preview[uuid].task == "Text 4"
        assert not client.tasks
        assert [(await future).rev for future in updates] == [2, 3, 4, 5, 6]
        assert (await made).rev == 1
        assert client.preview == client.tasks
        gone = client.delete(uuid)
        assert client.preview == {}
        with pytest.raises(NotFound):
            client.update(uuid, task="Too late")
        await gone


async def test_the_queue_is_bounded_while_offline(account: Account, system: System) -> None:
    offline = TaskbeamClient(
        f"ws://127.0.0.1:{free_port()}/ws/tasks/",
        Session(system.rest_url, account.refresh),
        queue_limit=3,
        connect_options={"proxy": None},
    )
    async with offline as client:
        futures = [client.create(f"Task {number}") for number in range(3)]
        with pytest.raises(QueueFull):
            client.create("One too many")
        assert client.waiting == 3
        [uuid, *_] = client.preview
        assert len(client.preview) == 3
    for future in futures:
        assert isinstance(future.exception(), ClientClosed)
    with pytest.raises(ClientClosed):
        client.update(uuid, completed=True)
    with pytest.raises(ClientClosed):
        client.delete(uuid)


async def test_logged_out_ends_the_client(system: System, account: Account) -> None:
    client = new_client(system, account)
    stream = client.changes()

    async def body() -> None:
        async with client:
            await client.ready()
            await rest(account, "POST", "/logout/", {"refresh": account.refresh})
            await until(lambda: False, WAIT, "the body is cancelled")

    with pytest.raises(LoggedOut):
        await body()
    assert (await anext(stream)).seq == 0
    with pytest.raises(LoggedOut):
        await anext(stream)
    with pytest.raises(LoggedOut):
        client.create("Too late")
    with pytest.raises(LoggedOut):
        await client.ready()


async def test_a_session_that_is_over_is_logged_out(system: System, account: Account) -> None:
    session = await Session.login(system.rest_url, account.username, PASSWORD)
    await session.logout()
    with pytest.raises(LoggedOut, match="blacklisted"):
        async with TaskbeamClient(system.ws_url, session, connect_options={"proxy": None}) as client:
            await client.ready()
    with pytest.raises(LoggedOut):
        await Session.login(system.rest_url, account.username, "wrong")


async def test_a_provider_without_a_good_token_is_logged_out(system: System) -> None:
    async def bad_token() -> str:
        return "no token at all"

    with pytest.raises(LoggedOut):
        async with TaskbeamClient(
            system.ws_url, bad_token, backoff=Backoff(0.05), connect_options={"proxy": None}
        ) as client:
            await client.ready()


async def test_errors_of_the_provider_and_of_the_body_come_out_as_they_are(
    system: System, account: Account
) -> None:
    async def broken() -> str:
        raise LookupError("no key in the ring")

    with pytest.raises(LookupError, match="ring"):
        async with TaskbeamClient(system.ws_url, broken) as client:
            await client.ready()

    async def body() -> None:
        async with new_client(system, account) as client:
            await client.ready()
            assert 1 / client.seq

    with pytest.raises(ZeroDivisionError):
        await body()


async def test_another_path_is_a_defect(
    system: System, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taskbeam_client.connector._PATIENCE_SECONDS", 0.0)
    session = Session(system.rest_url, account.refresh)
    with pytest.raises(ClientDefect, match="404"):
        async with TaskbeamClient(
            system.ws_url + "more/", session, backoff=Backoff(0.05), connect_options={"proxy": None}
        ) as client:
            await client.ready()
    with pytest.raises(TaskbeamClientError, match="404"):
        await Session.login(system.rest_url + "/more/", "nobody", PASSWORD)


async def test_a_copy_larger_than_the_limit_raises_an_error(system: System, account: Account) -> None:
    await rest(account, "POST", "/", {"task": "A task", "description": "x" * 9000})
    with pytest.raises(ClientDefect) as defect:
        async with new_client(system, account, message_limit=8192) as client:
            await client.ready()
    assert defect.value.close_code == 1009
