"""The processes behind PgBouncer in transaction mode, which passes no notices on: with Valkey for the hints, and without hints."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.e2e.test_two_processes import test_two_thousand_writes_at_once_leave_no_error_and_no_gap
from tests.support.clients import connected, new_account
from tests.support.frames import assert_nothing_more
from tests.support.pgbouncer import pgbouncer
from tests.support.postgresql import postgresql
from tests.support.processes import System, running
from tests.support.valkey import valkey

__all__ = ["test_two_thousand_writes_at_once_leave_no_error_and_no_gap"]

_CONNECTIONS = 4  # to the server, for three processes


@pytest.fixture(scope="module", params=["Valkey", "no hints"])
def two_worker_system(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("behind_pgbouncer")
    settings = {"TASKBEAM_MESSAGES_PER_SECOND": "0"}
    with ExitStack() as stack:
        if request.param == "Valkey":
            settings["TASKBEAM_EVENTS_URL"] = stack.enter_context(valkey()).url
        url = stack.enter_context(pgbouncer(stack.enter_context(postgresql()), _CONNECTIONS))
        yield stack.enter_context(
            running(folder, workers=2, beside=settings, DATABASE_URL=f"{url}?data={folder}/var")
        )


async def test_changes_of_one_process_reach_the_sockets_of_the_others(two_worker_system: System) -> None:
    system = two_worker_system
    account = new_account(system)
    async with connected(system, account.access) as one, connected(system, account.access) as other:
        for seq in range(1, 4):
            created = await asyncio.to_thread(account.rest, "POST", "/", {"task": f"Task {seq}"})
            for socket in (one, other):
                frame = await socket.receive()
                assert (frame["seq"], frame["task"]) == (seq, created.body)
        await assert_nothing_more(one)


def test_the_log_says_what_to_set_where_nothing_carries_hints(two_worker_system: System) -> None:
    for process in two_worker_system.processes:
        if "TASKBEAM_EVENTS_URL" in two_worker_system.environ:
            assert "pooler" not in process.log.read_text()
        else:
            (line,) = process.log_lines("a connection pooler passes none on")
            assert "WARNING" in line
            assert "TASKBEAM_EVENTS_URL" in line
