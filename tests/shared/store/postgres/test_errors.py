"""What PostgreSQL refuses is answered as what it is: unavailable for a while, or a defect of ours; and nobody stays with a standby."""

from __future__ import annotations

from pathlib import Path

import asyncpg
import psycopg
import pytest

from shared.errors import Unavailable
from shared.postgres_url import with_data_folder
from shared.store import Store
from shared.store.postgres.errors import translated
from tests.shared.store.owner import Owner, new_owner
from tests.shared.store.postgres.engine import PostgresEngine
from tests.support.postgresql import durable_postgresql
from tests.support.stores import open_store


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.ConnectionDoesNotExistError("closed"),
        asyncpg.CannotConnectNowError("starting up"),
        asyncpg.InternalClientError("got result for unknown protocol state"),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.TooManyConnectionsError("sorry, too many clients already"),
        asyncpg.AdminShutdownError("terminating connection"),
        asyncpg.IdleSessionTimeoutError("terminating connection"),
        asyncpg.TransactionTimeoutError("terminating connection"),
        asyncpg.ReadOnlySQLTransactionError("cannot execute INSERT in a read-only transaction"),
        asyncpg.LockNotAvailableError("canceling statement due to lock timeout"),
        asyncpg.QueryCanceledError("canceling statement due to statement timeout"),
        asyncpg.DiskFullError("could not extend file"),
        asyncpg.OutOfMemoryError("out of memory"),
        asyncpg.DataCorruptedError("invalid page in block 0"),
        asyncpg.InsufficientPrivilegeError("permission denied for table tasks"),
        asyncpg.InvalidPasswordError("password authentication failed"),
        ConnectionResetError(104, "Connection reset by peer"),
        TimeoutError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_keeps_the_database_from_being_used_is_unavailable(error: Exception) -> None:
    unavailable = translated(error)
    assert type(unavailable) is Unavailable
    assert unavailable.reason.startswith("PostgreSQL: ")


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.PostgresSyntaxError("syntax error"),
        asyncpg.DataError("invalid input"),
        asyncpg.NotNullViolationError("null value"),
        RuntimeError("a defect"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_defect_stays_one(error: Exception) -> None:
    assert translated(error) is error


async def test_who_waits_for_a_lock_for_too_long_is_unavailable(
    engine: PostgresEngine, store: Store, owner: Owner
) -> None:
    """Operators set such limits for all programs of a server."""
    name = engine._execute("SELECT current_database()")[0][0]
    engine._execute(f"ALTER DATABASE {name} SET lock_timeout = '50ms'")
    try:
        async with open_store(engine.url) as limited:
            late = Owner(limited, owner.user)
            with psycopg.connect(engine.url) as other:
                other.execute("SELECT 1 FROM feeds FOR UPDATE")
                with pytest.raises(Unavailable) as caught:
                    await late.create("never")
                assert "lock timeout" in caught.value.reason
            await late.create("after")
    finally:
        engine._execute(f"ALTER DATABASE {name} RESET lock_timeout")
    assert [task.task for task in await owner.tasks()] == ["after"]


async def test_statements_that_were_prepared_for_another_schema_are_no_failure(
    engine: PostgresEngine, owner: Owner
) -> None:
    """As in a rolling upgrade whose newer version changes a column."""
    await owner.create("before")
    await owner.log()
    for column in ("seq", "tasks"):
        engine._execute(f"ALTER TABLE feeds ALTER COLUMN {column} TYPE integer")
        await owner.create(column)
        assert len(await owner.log()) == len(await owner.tasks())
    assert [task.task for task in await owner.tasks()] == ["before", "seq", "tasks"]


async def test_no_connection_stays_at_a_standby(tmp_path: Path) -> None:
    """After a failover the name may for a while still lead to the server that takes no writes any more."""
    with durable_postgresql() as server:
        async with open_store(with_data_folder(server.url, tmp_path)) as store:
            owner = await new_owner(store)
            await owner.create("before")
            server.stop()
            server.start(as_standby=True)
            for ask in (lambda: owner.create("never"), owner.tasks, store.ping):
                with pytest.raises(Unavailable) as caught:
                    await ask()
                assert "a standby, which takes no writes" in caught.value.reason
            server.stop()
            server.start()
            await owner.create("after")
            assert [task.task for task in await owner.tasks()] == ["before", "after"]
