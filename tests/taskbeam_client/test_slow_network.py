"""A list that takes far longer than the time-out, and frames of which a part comes, over a network that is slow, and cut."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator

import pytest

from taskbeam_client import Backoff, Session, Snapshot, TaskbeamClient
from tests.support.clients import Account
from tests.support.processes import System
from tests.support.waiting import until
from tests.taskbeam_client.fake_server import http
from tests.taskbeam_client.support import WAIT, Recorder, as_json, equals_server, rest, server_tasks
from tests.taskbeam_client.tcp_relay import TcpRelay, tcp_relay

TASKS = 400
TIMEOUT = 0.5


@pytest.fixture
async def long_list(account: Account) -> list[str]:
    """Some 500 KB; the uuids."""
    uuids: list[str] = []
    for _ in range(TASKS // 100):
        ops = [{"mode": "create", "data": {"task": "A task", "description": "x" * 1000}}] * 100
        answer = await rest(account, "POST", "/batch/", {"ops": ops})
        uuids += [result["task_id"] for result in answer["results"]]
    return uuids


@pytest.fixture
async def relay(system: System) -> AsyncIterator[TcpRelay]:
    async with tcp_relay(system) as relay:
        yield relay


def client_over(
    relay: TcpRelay, system: System, account: Account, timeout: float = TIMEOUT
) -> TaskbeamClient:
    return TaskbeamClient(
        relay.url,
        Session(system.rest_url, account.refresh),
        timeout=timeout,
        backoff=Backoff(0.05, 0.2),
        connect_options={"proxy": None},
    )


async def test_bytes_that_come_are_a_sign_of_life(
    relay: TcpRelay, system: System, account: Account, long_list: list[str]
) -> None:
    relay.bytes_per_second = 200_000
    begin = time.monotonic()
    async with client_over(relay, system, account) as client:
        await client.ready()
        assert time.monotonic() - begin > 2 * TIMEOUT
        assert (client.statistics.connections, relay.connections) == (1, 1)
        await equals_server(client, account)


async def write_at_random(account: Account, uuids: list[str], stop: asyncio.Event) -> None:
    """Creates, updates and deletes all over the list."""
    dice, known = random.Random(1), list(uuids)
    while not stop.is_set() and len(known) > TASKS // 2:
        await rest(account, "POST", "/", {"task": "Made meanwhile"})
        await rest(account, "DELETE", f"/task/{known.pop(dice.randrange(len(known) // 2))}/")
        await rest(account, "PATCH", f"/task/{dice.choice(known)}/", {"completed": True})


async def test_others_write_meanwhile(
    relay: TcpRelay, system: System, account: Account, long_list: list[str]
) -> None:
    relay.bytes_per_second = 400_000
    stop = asyncio.Event()
    async with client_over(relay, system, account) as client, asyncio.TaskGroup() as group:
        stream = client.changes()
        group.create_task(write_at_random(account, long_list, stop))
        await client.ready()
        stop.set()
        snapshot = await anext(stream)
        assert isinstance(snapshot, Snapshot)
        assert snapshot.seq > TASKS
        assert client.statistics.snapshots == 1
        assert (client.statistics.gaps, client.statistics.duplicates) == (0, 0)
    async with client_over(relay, system, account) as client:
        await client.ready()
        assert as_json(client) == (await server_tasks(account))[1]


async def test_a_cut_costs_a_page_and_not_the_list(
    relay: TcpRelay, system: System, account: Account, long_list: list[str]
) -> None:
    """At each cut a task is deleted and one made, so that the changes that were missed must be brought too."""
    relay.bytes_per_second = 400_000
    async with client_over(relay, system, account) as client:
        for number in range(4):
            await until(lambda: client.connected or relay.bytes_downstream > 200_000, 20, "a part has come")
            relay.bytes_downstream = 0
            relay.fixed_answer = http(502)
            relay.disconnect_all()
            await rest(account, "DELETE", f"/task/{long_list[number]}/")
            await rest(account, "POST", "/", {"task": "Made meanwhile"})
            relay.fixed_answer = None
        await client.ready()
        assert client.statistics.snapshots == 1
        assert client.statistics.syncs > 0
        await equals_server(client, account)


async def test_pings_are_no_answer(relay: TcpRelay, system: System, account: Account) -> None:
    """A server that is alive, and never answers."""
    async with client_over(relay, system, account) as client:
        await client.ready()
        relay.replacement = b"\x89\x04ping"
        future = client.create("A task")
        await until(lambda: not client.connected, 10, "the connection is given up")
        relay.disconnect_all()
        assert (await future).rev == 1


async def test_frames_that_are_cut_in_the_middle(
    relay: TcpRelay, system: System, account: Account, long_list: list[str]
) -> None:
    """Within the handshake, the list, the head and the text of a change of others, and the answer to a write."""
    text = random.Random(1).randbytes(4000).hex()  # it stays long where frames are compressed
    relay.cut_after = 60
    async with client_over(relay, system, account, WAIT) as client, asyncio.TaskGroup() as group:
        recorder = Recorder(client.changes())
        reading = group.create_task(recorder.run())
        await until(lambda: relay.cut_after == 0, WAIT, "the handshake is cut")
        relay.cut_after = 20_000
        await client.ready()
        assert relay.cut_after == 0
        for cut in (1, 3, 5, 2000):
            relay.cut_after = cut
            await rest(account, "POST", "/", {"task": "Theirs", "description": text})
            await until(lambda: relay.cut_after == 0, WAIT, "a change is cut")
            await until(lambda: client.seq == recorder.last > TASKS, WAIT, "it has come again")
            await client.ready()
            relay.cut_after = cut
            assert (await client.create("Mine", text)).rev == 1
            assert relay.cut_after == 0
            await client.ready()
        assert client.seq == TASKS + 8
        await until(lambda: recorder.last == client.seq, WAIT, "all changes are seen")
        recorder.assert_each_once_in_order(TASKS + 1, TASKS + 8)
        assert client.statistics.snapshots == 1
        assert (client.statistics.gaps, client.statistics.duplicates) == (0, 0)
        await equals_server(client, account)
        reading.cancel()
