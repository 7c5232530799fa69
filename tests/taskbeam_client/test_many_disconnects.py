"""Many clients that lose their connections again and again, and many that come back at once.

``TASKBEAM_TEST_FULL=1``: 100 clients, 50 disconnects each, under 50 writes a second; 1,000 clients after a restart.
"""

from __future__ import annotations

import asyncio
import os
import random
import resource
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from taskbeam_client import Backoff, TaskbeamClient
from tests.support.clients import Account, new_account
from tests.support.processes import System, running
from tests.support.waiting import until
from tests.taskbeam_client.probe import Probe
from tests.taskbeam_client.support import Recorder, as_json, rest, server_tasks

FULL = bool(os.environ.get("TASKBEAM_TEST_FULL"))
CLIENTS, DISCONNECTS = (100, 50) if FULL else (30, 5)
RETURNING = 1000 if FULL else 300
USERS = 10
WRITES_PER_SECOND = 50
WRITERS = 5
RESUMED_WITHIN = 30.0
STALL_MOST = 0.25


@pytest.fixture
def crowded(tmp_path: Path) -> Iterator[System]:
    """A system that lets anybody in, as often as they like."""
    with running(tmp_path, MESSAGES_PER_SECOND="0", MAX_CONNECTIONS_PER_USER="5000") as system:
        yield system


def light_client(system: System, account: Account, backoff: Backoff) -> TaskbeamClient:
    """All share the account's first token."""

    async def token() -> str:
        return account.access

    return TaskbeamClient(system.ws_url, token, backoff=backoff, connect_options={"proxy": None})


async def write_steadily(account: Account, stop: asyncio.Event) -> int:
    """One writer's share of the changes, over REST: what the clients do takes none of its time."""
    loop = asyncio.get_running_loop()
    due, written = loop.time(), 0
    while not stop.is_set():
        made = await rest(account, "POST", "/", {"task": "A task"})
        await rest(account, "PATCH", f"/task/{made['uuid']}/", {"completed": True})
        if written % 4:
            await rest(account, "DELETE", f"/task/{made['uuid']}/")
        changes = 3 if written % 4 else 2
        written += changes
        due += changes * WRITERS / WRITES_PER_SECOND
        await asyncio.sleep(max(0.0, due - loop.time()))
    return written


async def interrupt(client: TaskbeamClient) -> None:
    for _ in range(DISCONNECTS):
        await client.ready()
        await _writes_arrive(client, client.seq)
        await asyncio.sleep(random.uniform(0, 0.2))  # somewhere in it
        lives = client.statistics.connections
        client.drop_connection()
        await _connected_again(client, lives)


async def _writes_arrive(client: TaskbeamClient, seen: int) -> None:
    await until(lambda: client.seq > seen, 60, "the stream goes on")


async def _connected_again(client: TaskbeamClient, lives: int) -> None:
    await until(lambda: client.statistics.connections > lives, 60, "connected again")


@pytest.mark.timeout(300)
async def test_no_gap_and_no_duplicate_under_writes(crowded: System) -> None:
    account = await asyncio.to_thread(new_account, crowded)
    clients = [light_client(crowded, account, Backoff(0.1, 1.0)) for _ in range(CLIENTS)]
    recorders = [Recorder(client.changes()) for client in clients]
    stop = asyncio.Event()
    begin = time.monotonic()
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        for client in clients:
            await stack.enter_async_context(client)
        reading = [group.create_task(recorder.run()) for recorder in recorders]
        writing = [group.create_task(write_steadily(account, stop)) for _ in range(WRITERS)]
        await asyncio.gather(*(interrupt(client) for client in clients))
        stop.set()
        written = sum(await asyncio.gather(*writing))
        seconds = time.monotonic() - begin
        seq, tasks = await server_tasks(account)
        assert seq == written
        await until(lambda: all(recorder.last == seq for recorder in recorders), 60, "all have seen all")
        for task in reading:
            task.cancel()
    print(f"{CLIENTS} clients, {DISCONNECTS} disconnects each, {written} writes in {seconds:.1f} s")
    if FULL:  # on a machine of its own
        assert written > 0.6 * WRITES_PER_SECOND * seconds, f"{written} writes in {seconds:.1f} s"
    for client, recorder in zip(clients, recorders, strict=True):
        assert len(recorder.snapshots) == 1
        recorder.assert_each_once_in_order(recorder.snapshots[0].seq + 1, seq)
        assert (client.statistics.gaps, client.statistics.duplicates) == (0, 0)
        assert client.statistics.connections >= DISCONNECTS + 1
        assert as_json(client) == tasks


def room_for_sockets(wanted: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"{wanted} descriptors are needed, {hard} allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@pytest.mark.timeout(180)
async def test_all_come_back_after_a_restart(crowded: System) -> None:
    room_for_sockets(RETURNING + 200)
    accounts = [await asyncio.to_thread(new_account, crowded) for _ in range(USERS)]
    clients = [light_client(crowded, accounts[number % USERS], Backoff()) for number in range(RETURNING)]
    async with AsyncExitStack() as stack:
        for client in clients:
            await stack.enter_async_context(client)
        await asyncio.gather(*(client.ready() for client in clients))
        await asyncio.to_thread(crowded.ws.kill)
        for account in accounts:
            await rest(account, "POST", "/", {"task": "Made while the server was away"})
        probe = Probe(crowded.ws_url, accounts[0].access)
        begin = time.monotonic()
        await asyncio.to_thread(crowded.ws.start)
        resumed = asyncio.gather(*(_connected_again(client, 1) for client in clients))
        await asyncio.wait_for(resumed, RESUMED_WITHIN)
        seconds = time.monotonic() - begin
        measured = await asyncio.to_thread(probe.stop)
        print(f"{RETURNING} clients resumed in {seconds:.1f} s; {measured}")
        assert all(client.seq == 1 and client.statistics.snapshots == 1 for client in clients)
    assert measured.pings > 10
    # What the machine does to any process is not the server's doing.
    assert measured.longest < STALL_MOST + measured.own, measured
