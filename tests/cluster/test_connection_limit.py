"""The connections of a user count on all machines together, to the second; those of a worker that is killed do not for long."""

from __future__ import annotations

import asyncio
import http.client
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, suppress
from typing import Any, Final

import psycopg
import pytest
import websockets

from shared.store.shared_counts import LEASE_SECONDS
from tests.cluster.machines import database_of, two_machines
from tests.support.clients import Account, Socket, connected, new_account
from tests.support.database_edits import SLACK_SECONDS
from tests.support.event_stream import event_stream
from tests.support.processes import System
from tests.support.waiting import until, wait_until

MOST: Final = 3
WITHIN: Final = 2.0


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[System, System]]:
    settings = {"MAX_CONNECTIONS_PER_USER": str(MOST), "MESSAGES_PER_SECOND": "0"}
    with two_machines(tmp_path_factory.mktemp("machines"), **settings) as both:
        yield both


@pytest.fixture
def database(machines: tuple[System, System]) -> Iterator[psycopg.Connection[Any]]:
    with database_of(machines[0]) as connection:
        yield connection


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def _exchanged(database: psycopg.Connection[Any]) -> None:
    """All processes have published their counts, and then asked for those of the others, from now on."""

    def have_published() -> bool:
        row = database.execute("SELECT bool_and(seen > %s) FROM serving", (now,)).fetchone()
        return row is not None and bool(row[0])

    for _ in range(2):
        row = database.execute("SELECT now()").fetchone()
        assert row is not None
        (now,) = row
        await until(have_published, WITHIN + SLACK_SECONDS, "all have published")


def _published(database: psycopg.Connection[Any], account: Account) -> int:
    row = database.execute(
        "SELECT coalesce(sum(connections), 0) FROM user_connections WHERE user_id = %s", (account.id,)
    ).fetchone()
    assert row is not None
    count: int = row[0]
    return count


async def _open(stack: AsyncExitStack, machine: System, account: Account, number: int = 1) -> list[Socket]:
    return [await stack.enter_async_context(connected(machine, account.access)) for _ in range(number)]


async def _are_open(sockets: list[Socket]) -> bool:
    return [(await socket.ask({"mode": "ping"}))["type"] for socket in sockets] == ["pong"] * len(sockets)


async def _is_refused(machine: System, account: Account) -> bool:
    async with connected(machine) as socket:
        await socket.send({"type": "auth", "token": account.access})
        try:
            return bool((await socket.receive())["type"] != "auth")
        except websockets.ConnectionClosed:
            return socket.connection.close_code == 4009


async def _let_in(stack: AsyncExitStack, machine: System, account: Account, within: float) -> Socket:
    """A socket, as soon as there is room for it."""
    began = time.monotonic()
    while True:
        assert time.monotonic() - began < within + SLACK_SECONDS
        with suppress(websockets.ConnectionClosed):
            return await stack.enter_async_context(connected(machine, account.access))


async def test_of_sockets_opened_at_once_as_many_stay_as_are_allowed_and_then_none_is_let_in(
    machines: tuple[System, System],
    database: psycopg.Connection[Any],
    stack: AsyncExitStack,
    record_property: Callable[[str, object], None],
) -> None:
    account, other = new_account(machines[0]), new_account(machines[1])
    opening = [_open(stack, machine, account) for machine in machines for _ in range(MOST)]
    sockets = [socket for opened in await asyncio.gather(*opening) for socket in opened]
    began = time.monotonic()

    def closed() -> list[Socket]:
        return [socket for socket in sockets if socket.connection.close_code is not None]

    await until(lambda: len(closed()) >= MOST, WITHIN + SLACK_SECONDS, "those that are too many are closed")
    record_property("seconds", round(time.monotonic() - began, 3))
    assert {socket.connection.close_code for socket in closed()} == {4009}
    for machine in machines:
        assert await _is_refused(machine, account)
    assert await _are_open(await _open(stack, machines[1], other, MOST)), "another user is not concerned"
    await _exchanged(database)
    assert len(closed()) == MOST
    stayed = [socket for socket in sockets if socket not in closed()]
    assert await _are_open(stayed)

    await stayed.pop().connection.close()
    stayed.append(await _let_in(stack, machines[1], account, WITHIN))
    await _exchanged(database)
    assert await _are_open(stayed)


async def test_the_sockets_of_a_killed_worker_do_not_count_for_long(
    machines: tuple[System, System],
    database: psycopg.Connection[Any],
    stack: AsyncExitStack,
    record_property: Callable[[str, object], None],
) -> None:
    one, two = machines
    account = new_account(one)
    await _open(stack, one, account, MOST)
    await until(lambda: _published(database, account) == MOST, WITHIN + SLACK_SECONDS, "they are published")
    [late] = await _open(stack, two, account)
    assert await late.closed() == 4009
    one.ws.kill()
    began = time.monotonic()
    try:
        sockets = [await _let_in(stack, two, account, LEASE_SECONDS + WITHIN)]
        record_property("seconds", round(time.monotonic() - began, 3))
        sockets += await _open(stack, two, account, MOST - 1)
        await _exchanged(database)
        assert await _are_open(sockets)
    finally:
        one.ws.start()


def test_event_streams_count_on_all_machines(
    machines: tuple[System, System], database: psycopg.Connection[Any]
) -> None:
    one, two = machines
    account = new_account(one)

    with ExitStack() as streams:
        for _ in range(MOST):
            streams.enter_context(event_stream(one, account))
        wait_until(
            lambda: _published(database, account) == MOST, WITHIN + SLACK_SECONDS, "they are published"
        )
        with event_stream(two, account) as late:
            late.ended()
        for machine in machines:
            assert _status_of_another(machine, account) == 429
    wait_until(lambda: _status_of_another(two, account) == 200, WITHIN + SLACK_SECONDS, "there is room again")


def _status_of_another(machine: System, account: Account) -> int:
    """The status of another event stream there."""
    connection = http.client.HTTPConnection("127.0.0.1", machine.gateway.port, timeout=20)
    try:
        connection.request("GET", "/events/", headers={"Authorization": f"Bearer {account.access}"})
        return connection.getresponse().status
    finally:
        connection.close()
