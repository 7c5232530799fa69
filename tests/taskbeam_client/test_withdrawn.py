"""Writes that are withdrawn before they were sent: it is as if they had never been made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from taskbeam_client import Backoff, Conflict, EarlierWriteFailed, QueueFull, Session, Task, TaskbeamClient
from tests.support.clients import Account
from tests.support.processes import System
from tests.support.waiting import until
from tests.taskbeam_client.fake_server import http
from tests.taskbeam_client.support import equals_server, rest
from tests.taskbeam_client.tcp_relay import TcpRelay, tcp_relay


class Offline:
    """A client that has a task, and no connection until ``resume``."""

    def __init__(self, client: TaskbeamClient, relay: TcpRelay, account: Account, milk: Task) -> None:
        self.client = client
        self.account = account
        self.milk = milk
        self._relay = relay

    def resume(self) -> None:
        self._relay.fixed_answer = None

    async def settled(self) -> None:
        await equals_server(self.client, self.account)
        assert self.client.preview == self.client.tasks
        assert self.client.waiting == 0


@pytest.fixture
async def offline(system: System, account: Account) -> AsyncIterator[Offline]:
    session = Session(system.rest_url, account.refresh)
    async with (
        tcp_relay(system) as relay,
        TaskbeamClient(
            relay.url,
            session,
            queue_limit=4,
            backoff=Backoff(0.05, 0.1),
            connect_options={"proxy": None},
        ) as client,
    ):
        milk = await client.create("Milk")
        relay.fixed_answer = http(502)
        relay.disconnect_all()
        await until(lambda: not client.connected, 10, "the client knows")
        yield Offline(client, relay, account, milk)


async def test_they_leave_nothing_behind(offline: Offline) -> None:
    client = offline.client
    writes: list[asyncio.Future[Any]] = [
        client.create("Ghost"),
        client.update(offline.milk.uuid, task="Beer"),
        client.delete(offline.milk.uuid),
    ]
    assert len(client.preview) == 1
    for write in writes:
        write.cancel()
    assert client.preview == {offline.milk.uuid: offline.milk}
    assert client.waiting == 0
    offline.resume()
    await client.ready()
    assert client.seq == 1
    await offline.settled()


async def test_what_is_written_after_them_is_done(offline: Offline) -> None:
    client = offline.client
    client.update(offline.milk.uuid, task="Beer").cancel()
    done = client.update(offline.milk.uuid, completed=True)
    offline.resume()
    assert ((await done).task, (await done).completed, (await done).rev) == ("Milk", True, 2)
    await offline.settled()


async def test_what_was_written_on_top_of_them_is_done_without_them(offline: Offline) -> None:
    client = offline.client
    beer = client.update(offline.milk.uuid, task="Beer")
    done = client.update(offline.milk.uuid, completed=True)
    rum = client.update(offline.milk.uuid, description="Rum")
    gone = client.delete(offline.milk.uuid)
    beer.cancel()
    rum.cancel()
    assert client.preview == {}
    offline.resume()
    assert ((await done).task, (await done).completed, (await done).rev) == ("Milk", True, 2)
    await gone
    assert client.seq == 3
    await offline.settled()


async def test_a_withdrawn_delete_leaves_the_task_to_be_written(offline: Offline) -> None:
    client = offline.client
    client.delete(offline.milk.uuid).cancel()
    done = client.update(offline.milk.uuid, task="Tea")
    offline.resume()
    assert (await done).task == "Tea"
    await offline.settled()


async def test_a_task_whose_create_was_withdrawn_cannot_be_written(offline: Offline) -> None:
    client = offline.client
    ghost = client.create("Ghost")
    (uuid,) = client.preview.keys() - {offline.milk.uuid}
    followers: list[asyncio.Future[Any]] = [client.update(uuid, completed=True), client.delete(uuid)]
    ghost.cancel()
    assert client.waiting == 0
    for follower in followers:
        with pytest.raises(EarlierWriteFailed):
            await follower
    offline.resume()
    await client.create("Bread")
    assert client.seq == 2
    await offline.settled()


async def test_they_make_room_in_the_queue(offline: Offline) -> None:
    client = offline.client
    writes = [client.create(f"Task {number}") for number in range(4)]
    with pytest.raises(QueueFull):
        client.create("One too many")
    writes[2].cancel()
    last = client.create("Last")
    offline.resume()
    await last
    assert [task.task for task in client.tasks.values()] == ["Milk", "Task 0", "Task 1", "Task 3", "Last"]
    await offline.settled()


async def test_nothing_is_overwritten_unseen_because_of_them(offline: Offline) -> None:
    client = offline.client
    beer = client.update(offline.milk.uuid, task="Beer")
    mine = client.update(offline.milk.uuid, task="Mine")
    named = client.update(offline.milk.uuid, task="Named", rev=7)
    beer.cancel()
    await rest(offline.account, "PATCH", f"/task/{offline.milk.uuid}/", {"task": "Theirs"})
    offline.resume()
    with pytest.raises(Conflict):
        await mine
    with pytest.raises(EarlierWriteFailed):
        await named
    assert client.tasks[offline.milk.uuid].task == "Theirs"
    await offline.settled()


async def test_a_time_out_withdraws(offline: Offline) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await offline.client.create("Ghost")
    assert offline.client.waiting == 0
