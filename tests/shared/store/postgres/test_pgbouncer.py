"""PgBouncer in transaction mode, with few connections to the server: a part of the contract's suite, and what only it could break."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from shared.metrics.catalogue import CARRIER_CONNECTED
from shared.models import Change
from shared.store.postgres.notify import NotifyCarrier
from shared.store.postgres.pooler import connect, is_behind_pooler
from tests.shared.store.owner import Owner, new_owner
from tests.shared.store.postgres.pgbouncer_engine import CONNECTIONS, PgbouncerEngine
from tests.shared.store.postgres.test_notify import Told
from tests.shared.store.test_groups import *
from tests.shared.store.test_processes import *
from tests.support.postgresql import shared_postgresql
from tests.support.waiting import until


@pytest.fixture
def engine(tmp_path: Path) -> PgbouncerEngine:
    return PgbouncerEngine(tmp_path)


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Any]:
    connection = await connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def _kept_statements(connection: Any) -> int:
    await connection.fetchval("SELECT $1::bigint + 1", 1)
    kept: int = await connection.fetchval("SELECT count(*) FROM pg_prepared_statements")
    return kept


async def test_statements_are_kept_on_connections_to_the_server_itself_alone(engine: PgbouncerEngine) -> None:
    async with _connected(shared_postgresql()) as direct, _connected(engine.url) as pooled:
        assert not await is_behind_pooler(direct)
        assert await is_behind_pooler(pooled)
        assert await _kept_statements(direct) == 2
        assert await _kept_statements(pooled) == 0


async def test_many_stores_share_few_connections(engine: PgbouncerEngine) -> None:
    """All open at once, and bring the schema up to date; then each connection to the server serves all of them in turn."""
    async with AsyncExitStack() as stack:
        stores = await asyncio.gather(*[stack.enter_async_context(engine.open()) for _ in range(6)])
        owners = [await new_owner(store) for store in stores]

        async def work(owner: Owner) -> None:
            for number in range(20):
                task = await owner.create(f"{owner.id}: {number}")
                await asyncio.gather(
                    owner.update(task.uuid, "changed"), owner.tasks(), owner.seq(), owner.log()
                )

        await asyncio.gather(*[work(owner) for owner in owners])
        for owner in owners:
            assert [change.seq for change in await owner.log()] == [*range(1, 41)]
            assert {(task.user_id, task.task) for task in await owner.tasks()} == {(owner.id, "changed")}
    await engine.assert_sound()


async def test_the_notices_of_the_database_are_given_up_and_nothing_is_left_of_the_try(
    engine: PgbouncerEngine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    carrier, told = NotifyCarrier(engine.url), Told()
    running = asyncio.create_task(carrier.run(told))
    try:
        await until(lambda: caplog.text, 10, "it says so")
        carrier.publish([Change(1, 1, "delete", "id", None)])
        await asyncio.sleep(0)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert (
        caplog.text.count("a connection pooler passes none on; with TASKBEAM_EVENTS_URL they need none") == 1
    )
    assert CARRIER_CONNECTED.read is not None
    assert CARRIER_CONNECTED.read() == 0
    assert told.missed == 0
    async with AsyncExitStack() as stack:
        for _ in range(CONNECTIONS):
            connection = await stack.enter_async_context(_connected(engine.url))
            await connection.execute("BEGIN")  # it has one to the server for itself
            assert await connection.fetch("SELECT pg_listening_channels()") == []
            source = "SELECT source FROM pg_settings WHERE name = 'synchronous_commit'"
            assert await connection.fetchval(source) != "session"
