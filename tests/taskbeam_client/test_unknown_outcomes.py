"""Writes whose answer was lost: done or not, and whatever others did meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest

from taskbeam_client import Backoff, Conflict, NotFound, Session, Task, TaskbeamClient
from tests.support.clients import Account
from tests.support.processes import System
from tests.taskbeam_client.support import equals_server, rest
from tests.taskbeam_client.tcp_relay import TcpRelay, tcp_relay


class Setting(NamedTuple):
    client: TaskbeamClient
    relay: TcpRelay
    account: Account
    task: Task

    async def theirs(self, method: str, body: object = None) -> None:
        """What another device does to the task."""
        await rest(self.account, method, f"/task/{self.task.uuid}/", body)

    async def settled(self) -> None:
        await equals_server(self.client, self.account)
        assert self.client.preview == self.client.tasks


@pytest.fixture
async def setting(system: System, account: Account) -> AsyncIterator[Setting]:
    session = Session(system.rest_url, account.refresh)
    async with (
        tcp_relay(system) as relay,
        TaskbeamClient(
            relay.url, session, backoff=Backoff(0.05, 0.5), connect_options={"proxy": None}
        ) as client,
    ):
        task = await client.create("A task")
        yield Setting(client, relay, account, task)


@pytest.mark.parametrize("arrives", [True, False])
async def test_create(setting: Setting, arrives: bool) -> None:
    setting.relay.drop_downstream, setting.relay.drop_upstream = arrives, not arrives
    future = setting.client.create("Another")
    await setting.relay.dropped.wait()
    setting.relay.disconnect_all()
    assert (await future).rev == 1
    assert setting.client.seq == 2
    await setting.settled()


async def test_create_that_was_deleted_by_another_is_not_made_again(setting: Setting) -> None:
    setting.relay.drop_downstream = True
    future = setting.client.create("Another")
    (uuid,) = setting.client.preview.keys() - {setting.task.uuid}
    await setting.relay.dropped.wait()
    await rest(setting.account, "DELETE", f"/task/{uuid}/")
    setting.relay.disconnect_all()
    assert (await future).task == "Another"
    assert setting.client.seq == 3
    await setting.settled()


@pytest.mark.parametrize("arrives", [True, False])
async def test_update(setting: Setting, arrives: bool) -> None:
    setting.relay.drop_downstream, setting.relay.drop_upstream = arrives, not arrives
    future = setting.client.update(setting.task.uuid, task="  Mine ")
    await setting.relay.dropped.wait()
    setting.relay.disconnect_all()
    assert ((await future).task, (await future).rev) == ("Mine", 2)
    assert setting.client.seq == 2
    await setting.settled()


async def test_update_that_was_done_and_overwritten_is_done(setting: Setting) -> None:
    setting.relay.drop_downstream = True
    future = setting.client.update(setting.task.uuid, task="Mine")
    await setting.relay.dropped.wait()
    await setting.theirs("PATCH", {"task": "Theirs"})
    setting.relay.disconnect_all()
    assert (await future).task == "Mine"
    assert setting.client.tasks[setting.task.uuid].task == "Theirs"
    await setting.settled()


async def test_update_that_came_too_late_is_a_conflict(setting: Setting) -> None:
    setting.relay.drop_upstream = True
    future = setting.client.update(setting.task.uuid, task="Mine")
    await setting.relay.dropped.wait()
    await setting.theirs("PATCH", {"task": "Theirs"})
    await setting.theirs("PATCH", {"task": "Theirs again"})
    setting.relay.disconnect_all()
    with pytest.raises(Conflict) as conflict:
        await future
    assert conflict.value.task is not None
    assert conflict.value.task.task.startswith("Theirs")
    await setting.settled()


@pytest.mark.parametrize(("arrives", "error"), [(True, None), (False, NotFound)])
async def test_update_of_what_was_deleted_meanwhile(
    setting: Setting, arrives: bool, error: type[Exception] | None
) -> None:
    setting.relay.drop_downstream, setting.relay.drop_upstream = arrives, not arrives
    future = setting.client.update(setting.task.uuid, task="Mine")
    await setting.relay.dropped.wait()
    await setting.theirs("DELETE")
    setting.relay.disconnect_all()
    if error is None:
        assert (await future).task == "Mine"
    else:
        with pytest.raises(error):
            await future
    await setting.settled()


@pytest.mark.parametrize("arrives", [True, False])
async def test_delete(setting: Setting, arrives: bool) -> None:
    setting.relay.drop_downstream, setting.relay.drop_upstream = arrives, not arrives
    future = setting.client.delete(setting.task.uuid)
    await setting.relay.dropped.wait()
    setting.relay.disconnect_all()
    await future
    assert setting.client.seq == 2
    await setting.settled()


async def test_delete_of_what_moved_on_is_a_conflict(setting: Setting) -> None:
    setting.relay.drop_upstream = True
    future = setting.client.delete(setting.task.uuid)
    await setting.relay.dropped.wait()
    await setting.theirs("PATCH", {"task": "Theirs"})
    setting.relay.disconnect_all()
    with pytest.raises(Conflict):
        await future
    await setting.settled()


async def test_a_silent_connection_is_given_up(system: System, account: Account) -> None:
    """No reset, no close: only the time-out for the answer tells."""
    session = Session(system.rest_url, account.refresh)
    async with (
        tcp_relay(system) as relay,
        TaskbeamClient(
            relay.url, session, timeout=1.0, backoff=Backoff(0.05, 0.5), connect_options={"proxy": None}
        ) as client,
    ):
        await client.ready()
        relay.drop_downstream = True
        future = client.create("A task")
        await relay.dropped.wait()
        await asyncio.sleep(0)
        relay.drop_downstream = False  # for the next connection; on this one, the answer is gone
        assert (await future).rev == 1
        assert client.statistics.connections == 2
        assert client.seq == 1
