"""Without wake-up calls, changes are found by polling the database, within a second."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator

import pytest

from tests.support.clients import connected, new_account
from tests.support.frames import assert_nothing_more, create
from tests.support.processes import System, running
from tests.support.workers import on_every_worker

WITHIN = 1.2


@pytest.fixture(scope="module")
def system_without_wake_ups(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Processes whose wake-up sockets were removed, so that no call arrives."""
    with running(tmp_path_factory.mktemp("without_wake_ups"), workers=2) as system:
        folder = system.database.with_name(system.database.name + "-wake")
        assert len(list(folder.iterdir())) == 3
        shutil.rmtree(folder)
        folder.mkdir()
        yield system


async def test_a_change_over_rest_still_arrives(system_without_wake_ups: System) -> None:
    account = new_account(system_without_wake_ups)
    async with connected(system_without_wake_ups, account.access) as socket:
        for number in range(1, 4):
            account.rest("POST", "/", {"task": "x"})
            started = time.monotonic()
            assert (await socket.receive())["seq"] == number
            assert time.monotonic() - started < WITHIN
        await assert_nothing_more(socket)


async def test_changes_still_cross_workers(system_without_wake_ups: System) -> None:
    account = new_account(system_without_wake_ups)
    async with on_every_worker(system_without_wake_ups, account.access) as (first, second):
        for number in range(1, 4):
            await create(first)
            started = time.monotonic()
            assert (await second.receive())["seq"] == number
            assert time.monotonic() - started < WITHIN


async def test_a_logout_still_closes_sockets_within_a_second(system_without_wake_ups: System) -> None:
    account = new_account(system_without_wake_ups)
    async with on_every_worker(system_without_wake_ups, account.access) as sockets:
        account.rest("POST", "/logout/", {"refresh": account.refresh})
        started = time.monotonic()
        assert [await socket.closed() for socket in sockets] == [4403, 4403]
        assert time.monotonic() - started < WITHIN


async def test_an_answer_does_not_wait_for_a_wake_up(system_without_wake_ups: System) -> None:
    """Also where unread changes of another process come before it."""
    account = new_account(system_without_wake_ups)
    async with connected(system_without_wake_ups, account.access) as socket:
        for number in range(10):
            account.rest("POST", "/", {"task": "x"})
            started = time.monotonic()
            assert (await create(socket))["seq"] == 2 * number + 2
            assert time.monotonic() - started < 0.4
