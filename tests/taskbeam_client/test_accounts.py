"""Another user's tokens behind the same client: nothing of two users is mixed, and nothing done as the other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from taskbeam_client import AccountChanged, Backoff, Snapshot, TaskbeamClient
from tests.support.clients import Account, new_account
from tests.support.processes import System, running
from tests.support.waiting import until
from tests.taskbeam_client.fake_server import http
from tests.taskbeam_client.support import equals_server, rest
from tests.taskbeam_client.tcp_relay import tcp_relay


class Switch:
    """A token provider whose user can be changed."""

    def __init__(self, account: Account) -> None:
        self.account = account

    async def __call__(self) -> str:
        answer = await asyncio.to_thread(
            lambda: self.account.rest("POST", "/token-refresh/", {"refresh": self.account.refresh})
        )
        access: str = answer.body["access"]
        return access


async def make(account: Account, *names: str) -> list[str]:
    return [(await rest(account, "POST", "/", {"task": name}))["uuid"] for name in names]


def names(client: TaskbeamClient) -> list[str]:
    return [task.task for task in client.tasks.values()]


@pytest.fixture
def other(system: System) -> Account:
    return new_account(system)


async def revoke(account: Account) -> None:
    """Its user logs out everywhere: the token that the client holds is refused."""
    await rest(account, "POST", "/logout/", {"refresh": account.refresh})


async def test_the_copy_is_the_other_users_and_waiting_writes_fail(
    system: System, account: Account, other: Account, caplog: pytest.LogCaptureFixture
) -> None:
    """Each has as many tasks, and as high a seq, as the other."""
    await make(account, "old 0", "old 1")
    await make(other, "new 0", "new 1")
    provider = Switch(account)
    async with (
        tcp_relay(system) as relay,
        TaskbeamClient(
            relay.url, provider, backoff=Backoff(0.05, 0.1), connect_options={"proxy": None}
        ) as client,
    ):
        stream = client.changes()
        await client.ready()
        assert client.user_id == account.id
        first = next(iter(client.tasks))
        relay.fixed_answer = http(502)
        relay.disconnect_all()
        await until(lambda: not client.connected, 10, "the client knows")
        waiting: list[asyncio.Future[Any]] = [
            client.create("Of the old"),
            client.update(first, completed=True),
            client.delete(first),
        ]
        await revoke(account)
        provider.account = other
        relay.fixed_answer = None
        for future in waiting:
            with pytest.raises(AccountChanged):
                await future
        assert "another user is logged in: 3 writes that waited are not done" in caplog.text
        assert names(client) == ["new 0", "new 1"]
        assert client.user_id == other.id
        assert client.preview == client.tasks
        await client.create("Of the new")
        await equals_server(client, other)
    events = [event async for event in stream]
    assert [(type(event), event.seq) for event in events[:2]] == [(Snapshot, 2), (Snapshot, 2)]
    assert [event.user_id for event in events if isinstance(event, Snapshot)] == [account.id, other.id]


async def test_a_write_whose_answer_was_lost_is_not_sent_again_as_another(
    system: System, account: Account, other: Account
) -> None:
    provider = Switch(account)
    async with (
        tcp_relay(system) as relay,
        TaskbeamClient(
            relay.url, provider, backoff=Backoff(0.05, 0.1), connect_options={"proxy": None}
        ) as client,
    ):
        await client.ready()
        relay.drop_upstream = True
        future = client.create("Of the old")
        await relay.dropped.wait()
        relay.drop_downstream = True  # that the session has ended is not heard either
        await revoke(account)
        provider.account = other
        relay.disconnect_all()
        with pytest.raises(AccountChanged):
            await future
        await equals_server(client, other)
        assert client.seq == 0


@pytest.fixture(scope="module")
def short_lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Access tokens end after three seconds."""
    with running(tmp_path_factory.mktemp("tokens"), ACCESS_TOKEN_SECONDS="3") as system:
        yield system


async def test_a_switch_at_the_renewal_of_a_live_connection(short_lived: System) -> None:
    account, other = await asyncio.to_thread(lambda: (new_account(short_lived), new_account(short_lived)))
    await make(other, "new 0")
    provider = Switch(account)
    client = TaskbeamClient(
        short_lived.ws_url, provider, backoff=Backoff(0.05, 0.1), connect_options={"proxy": None}
    )
    async with client:
        await client.ready()
        provider.account = other
        await until(lambda: client.user_id == other.id, 20, "it is the other user's")
        assert names(client) == ["new 0"]
        await client.create("Of the new")


async def test_writes_made_before_anybody_was_logged_in_are_done(system: System, account: Account) -> None:
    async with TaskbeamClient(system.ws_url, Switch(account), connect_options={"proxy": None}) as client:
        await client.create("Early")
        assert client.user_id == account.id
