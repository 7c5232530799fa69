"""How many connections a user may have at several processes together, counted in PostgreSQL."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import cast

import psycopg
import pytest

from shared import connection_limit
from shared.connection_limit import ConnectionLimit
from shared.store.postgres.store import PostgresStore
from tests.shared.store.postgres.engine import PostgresEngine
from tests.support.waiting import until

ANN, BOB = 1, 2
MOST = 4


class Connections:
    """Of one process: names by user, the oldest first."""

    def __init__(self, limit: ConnectionLimit) -> None:
        self.limit = limit
        self.by_user: dict[int, list[str]] = {}
        self.ended: list[str] = []

    def open(self, user_id: int, *names: str) -> list[str]:
        """Those that were refused."""
        refused = []
        for name in names:
            if self.limit.allows(user_id, self.count(user_id)):
                self.by_user.setdefault(user_id, []).append(name)
                self.limit.on_change(user_id)
            else:
                refused.append(name)
        return refused

    def close(self, user_id: int, name: str) -> None:
        self.by_user[user_id].remove(name)
        if not self.by_user[user_id]:
            del self.by_user[user_id]
        self.limit.on_change(user_id)

    def users(self) -> Collection[int]:
        return self.by_user

    def count(self, user_id: int) -> int:
        return len(self.by_user.get(user_id, ()))

    def end_newest(self, user_id: int, number: int) -> None:
        for _ in range(number):
            newest = self.by_user[user_id][-1]
            self.close(user_id, newest)
            self.ended.append(newest)


@pytest.fixture
def engine(tmp_path: Path) -> PostgresEngine:
    return PostgresEngine(tmp_path)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_limit, "INTERVAL_SECONDS", 0.05)


@asynccontextmanager
async def process(
    engine: PostgresEngine, kind: str = "sockets", most: int = MOST
) -> AsyncIterator[Connections]:
    async with engine.open() as store:
        limit = ConnectionLimit(most, kind, cast(PostgresStore, store).counts.connections)
        connections = Connections(limit)
        running = asyncio.create_task(limit.run(connections))
        yield connections
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def _published(engine: PostgresEngine) -> list[tuple[int, int]]:
    return engine._execute("SELECT user_id, connections FROM user_connections ORDER BY user_id")


async def _settled(engine: PostgresEngine, *processes: Connections) -> None:
    """All have published what they have, and asked since."""

    def is_so(one: Connections) -> bool:
        rows = engine._execute(
            "SELECT user_id, connections FROM user_connections WHERE process = %s", one.limit._process
        )
        published = {user_id: one.count(user_id) for user_id in one.users()} == dict(rows)
        return published and not one.limit._changed and not one.limit._asked_again

    await until(lambda: all(map(is_so, processes)), 10, "no changes are left to publish")


async def test_connections_of_all_processes_of_a_kind_count(engine: PostgresEngine) -> None:
    async with process(engine) as one, process(engine) as two, process(engine, "waiters") as other:
        assert one.open(ANN, "a", "b", "c") == []
        assert other.open(ANN, "a", "b", "c") == []
        await _settled(engine, one, other)
        assert two.open(ANN, "d") == []
        await _settled(engine, two)
        assert two.open(ANN, "e") == ["e"]
        assert two.open(BOB, "f") == []
        assert two.ended == []
        one.close(ANN, "a")
        await until(lambda: two.open(ANN, "g") == [], 5, "there is room again")
        assert other.ended == one.ended == two.ended == []


async def test_where_there_are_too_many_the_newest_end(engine: PostgresEngine) -> None:
    async with process(engine) as one, process(engine) as two:
        assert one.open(ANN, "a", "b", "c") == []
        await _settled(engine, one)
        assert two.open(ANN, "d", "e", "f") == []
        await until(lambda: two.ended, 5, "it hears of the others")
        assert (one.ended, two.ended) == ([], ["f", "e"])
        await _settled(engine, two)
        assert one.open(ANN, "g") == []
        await until(lambda: one.ended, 5, "it hears of the others")
        assert (one.ended, two.ended) == (["g"], ["f", "e"])


async def test_after_all_at_once_there_are_exactly_as_many_as_are_allowed(engine: PostgresEngine) -> None:
    async with AsyncExitStack() as stack:
        processes = [await stack.enter_async_context(process(engine)) for _ in range(3)]
        for round_ in range(5):
            for number, each in enumerate(processes):
                each.open(ANN, *[f"{round_} {number} {name}" for name in range(MOST)])
            await until(
                lambda: sum(each.count(ANN) for each in processes) <= MOST, 5, "those that are too many end"
            )
            await _settled(engine, *processes)
            assert sum(each.count(ANN) for each in processes) == MOST
            for each in processes:
                for name in list(each.by_user.get(ANN, ())):
                    each.close(ANN, name)
            await _settled(engine, *processes)
            await until(lambda: not _published(engine), 5, "there are none")


async def test_what_a_killed_process_had_does_not_count_and_is_forgotten(
    engine: PostgresEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_limit, "LEASE_SECONDS", 0.1)
    async with process(engine) as one:
        engine._execute(
            "INSERT INTO serving VALUES (1, 'sockets', now()), (2, 'sockets', now() - interval '4 seconds')"
        )
        engine._execute("INSERT INTO user_connections VALUES (%s, 1, 3, now()), (%s, 2, 4, now())", ANN, BOB)
        one.open(BOB, "a")
        await until(lambda: one.ended == ["a"], 5, "it hears of the others")
        one.open(ANN, "a", "b")
        await until(lambda: one.ended == ["a", "b"], 5, "it hears of the others")
        await until(lambda: one.open(BOB, "c") == [], 5, "one is gone")
        await until(lambda: (BOB, 4) not in _published(engine), 5, "it is forgotten")
        assert one.open(ANN, "d") == ["d"]
        engine._execute("UPDATE serving SET seen = now() - interval '6 seconds' WHERE process = 1")
        await until(lambda: one.open(ANN, "d") == [], 5, "the other is gone, too")
        await until(lambda: _published(engine) == [(ANN, 2), (BOB, 1)], 5, "only one's are left")


async def test_a_process_that_was_taken_for_gone_publishes_all_again(engine: PostgresEngine) -> None:
    """As after a stop of the process, or a crash of the database, whose unlogged tables are empty then."""
    async with process(engine) as one:
        one.open(ANN, "a", "b")
        one.open(BOB, "c")
        await _settled(engine, one)
        for _ in range(2):
            engine._execute("TRUNCATE serving, user_connections")
            await until(lambda: _published(engine) == [(ANN, 2), (BOB, 1)], 5, "all are there again")


async def test_each_process_limits_its_own_while_the_database_does_not_answer(
    engine: PostgresEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connection_limit, "_TIMEOUT_SECONDS", 0.2)
    async with process(engine) as one, process(engine) as two:
        one.open(ANN, *"abcd")
        await _settled(engine, one)
        two.open(ANN, "e")
        await until(lambda: two.ended == ["e"], 5, "it hears of the others")
        with psycopg.connect(engine.url) as operator:
            operator.execute("LOCK TABLE serving")
            await until(lambda: caplog.text.count("by this process alone") == 2, 5, "both say so")
            assert two.open(ANN, *"fghi") == []
            assert two.open(ANN, "j") == ["j"]
            assert caplog.text.count("by this process alone") == 2
        await until(lambda: two.ended == ["e", "i", "h", "g", "f"], 5, "the others count again")
        await until(lambda: caplog.text.count("together again") == 2, 5, "both say so")
        assert one.ended == []
        assert all(record.levelno == logging.WARNING for record in caplog.records)


async def test_the_end_of_a_process_is_told(engine: PostgresEngine) -> None:
    async with process(engine) as two:
        async with process(engine) as one:
            assert one.open(ANN, *"abcd") == []
            await _settled(engine, one)
            two.open(ANN, "e")
            await until(lambda: two.ended == ["e"], 5, "it hears of the others")
        await until(lambda: _published(engine) == [], 5, "neither has any")
        await until(lambda: two.open(ANN, "f") == [], 5, "there is room again")
    assert engine._execute("SELECT * FROM serving") == []


async def test_alone_a_process_limits_its_own() -> None:
    limit = ConnectionLimit(MOST, "sockets")
    one = Connections(limit)
    assert one.open(ANN, *"abcde") == ["e"]
    one.close(ANN, "a")
    assert one.open(ANN, "f") == []
    await limit.run(one)
    assert not limit._changed
