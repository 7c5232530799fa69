"""Whose change it was: a program that answers what others do must not answer itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from taskbeam_client import Change, Session, TaskbeamClient
from tests.support.clients import Account
from tests.support.processes import System
from tests.support.waiting import until
from tests.taskbeam_client.support import Recorder, new_client, rest
from tests.taskbeam_client.tcp_relay import tcp_relay


def owners(recorder: Recorder) -> list[tuple[int, bool]]:
    return [(event.seq, event.own) for event in recorder.events if isinstance(event, Change)]


async def test_answers_are_own_and_pushes_are_not(system: System, account: Account) -> None:
    async with new_client(system, account) as client, new_client(system, account) as other:
        mine, theirs = Recorder(client.changes()), Recorder(other.changes())
        async with asyncio.TaskGroup() as group:
            reading = [group.create_task(recorder.run()) for recorder in (mine, theirs)]
            made = await client.create("Mine")
            await other.ready()
            await until(lambda: other.seq == 1, 10, "the other has heard of it")
            await other.update(made.uuid, task="Theirs")
            await until(lambda: client.seq == 2, 10, "this one has heard of it")
            await client.update(made.uuid, completed=True)
            await rest(account, "POST", "/", {"task": "Over REST"})
            await until(lambda: client.seq == 4, 10, "this one has heard of it")
            await client.delete(made.uuid)
            await until(lambda: mine.last == theirs.last == 5, 10, "both have seen all")
            for task in reading:
                task.cancel()
    assert owners(mine) == [(1, True), (2, False), (3, True), (4, False), (5, True)]
    assert [own for seq, own in owners(theirs) if seq > 1] == [True, False, False, False]


@pytest.mark.parametrize("mode", ["create", "update", "delete"])
async def test_a_change_whose_answer_was_lost_is_own(system: System, account: Account, mode: str) -> None:
    session = Session(system.rest_url, account.refresh)
    async with (
        tcp_relay(system) as relay,
        TaskbeamClient(relay.url, session, connect_options={"proxy": None}) as client,
    ):
        made = await client.create("A task")
        recorder = Recorder(client.changes())
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(recorder.run())
            relay.drop_downstream = True
            future: asyncio.Future[Any]
            if mode == "create":
                future = client.create("Another")
            elif mode == "update":
                future = client.update(made.uuid, completed=True)
            else:
                future = client.delete(made.uuid)
            await relay.dropped.wait()
            await rest(account, "POST", "/", {"task": "Theirs"})
            relay.disconnect_all()
            await future
            await until(lambda: recorder.last == 3, 10, "all is seen")
            reading.cancel()
    assert owners(recorder) == [(2, True), (3, False)]


async def test_a_bot_that_answers_others_does_not_answer_itself(system: System, account: Account) -> None:
    async def answer(client: TaskbeamClient) -> None:
        async for event in client.changes():
            if isinstance(event, Change) and event.task is not None and not event.own:
                await client.update(event.task_id, description=event.task.description + "!")

    async with new_client(system, account) as client, asyncio.TaskGroup() as group:
        await client.ready()
        answering = group.create_task(answer(client))
        made = await rest(account, "POST", "/", {"task": "A task"})
        await until(lambda: client.seq == 2, 10, "it has answered")
        await rest(account, "PATCH", f"/task/{made['uuid']}/", {"completed": True})
        await until(lambda: client.seq >= 4, 10, "it has answered")
        assert client.tasks[made["uuid"]].description == "!!"
        await client.create("Another")
        assert client.seq == 5
        answering.cancel()


def test_two_that_differ_in_this_alone_are_equal() -> None:
    assert Change(1, "delete", "uuid", None, own=True) == Change(1, "delete", "uuid", None)
