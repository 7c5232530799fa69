"""A PostgreSQL database as source and target of a copy: who is kept out meanwhile, a server that goes, columns that are copied."""

from __future__ import annotations

from typing import Final

import psycopg
import pytest

from shared.errors import Unavailable
from shared.store.copies import CopyFailed
from shared.store.postgres import migrate
from shared.store.postgres.row_target import open_postgres_row_target
from shared.store.postgres.rows import open_postgres_rows
from shared.store.rows import USERS, Mark
from tests.shared.store.common_columns import COLUMNS
from tests.shared.store.owner import new_owner
from tests.shared.store.postgres.engine import PostgresEngine

_OWN: Final = {
    *{("users", "hash_form"), ("users", "hash_cost"), ("tasks", "created"), ("tasks", "seq")},
    *{("counters", "name"), ("counters", "value")},  # of the header
    *{("even_clocks", column) for column in ("boot", "ahead", "since", "seen")},
    *{("writers", column) for column in ("id", "last_number", "fence", "seen")},
    *{("attempts", column) for column in ("key", "began", "attempts")},
    *{("serving", column) for column in ("process", "kind", "seen")},
    *{("user_connections", column) for column in ("user_id", "process", "connections", "grown")},
}
"""Columns that follow from the others, are in the header, or are of hosts and processes that serve."""


async def test_every_column_is_copied_or_only_serves_postgresql(engine: PostgresEngine) -> None:
    async with engine.open():
        pass
    columns = engine._execute(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
    )
    assert set(columns) == COLUMNS | _OWN


async def test_nobody_opens_the_database_or_writes_to_it_while_it_is_copied(
    engine: PostgresEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine.open() as store:
        await new_owner(store)
    monkeypatch.setattr(migrate, "_LOCK_MILLISECONDS", 200)
    async with open_postgres_rows(engine.url):
        with pytest.raises(Unavailable) as error:
            async with engine.open():
                pass
        assert error.value.reason.endswith("another process brings it up to date, or copies it")
        with psycopg.connect(engine.url) as connection, pytest.raises(psycopg.errors.LockNotAvailable):
            connection.execute("SET LOCAL lock_timeout = 200; UPDATE users SET is_active = false")
    async with engine.open():
        pass


async def test_two_copies_into_one_database_are_noticed(engine: PostgresEngine) -> None:
    begun = Mark("an epoch", "a state")
    async with open_postgres_row_target(engine.url) as first, open_postgres_row_target(engine.url) as second:
        assert await first.mark() is None
        assert await second.mark() is None
        await second.write(USERS, [], begun)
        with pytest.raises(CopyFailed, match="another process copies into it"):
            await first.write(USERS, [], begun)


async def test_a_connection_that_is_lost_is_one_line(engine: PostgresEngine) -> None:
    async with engine.open():
        pass
    async with open_postgres_rows(engine.url) as rows:
        engine._execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'taskbeam'"
        )
        with pytest.raises(CopyFailed, match=r"postgresql://postgres@.*: .*connection"):
            await rows.counts()


async def test_another_program_s_database_is_left_alone(engine: PostgresEngine) -> None:
    engine._execute("CREATE TABLE users (id bigint)")
    for opened in (open_postgres_rows(engine.url), open_postgres_row_target(engine.url)):
        with pytest.raises(CopyFailed, match="has a table users of another program"):
            async with opened:
                pass
    assert engine._execute(
        "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
    ) == [(1,)]


async def test_a_database_without_tables_is_no_source(engine: PostgresEngine) -> None:
    with pytest.raises(CopyFailed, match="has schema version 0, not"):
        async with open_postgres_rows(engine.url):
            pass
