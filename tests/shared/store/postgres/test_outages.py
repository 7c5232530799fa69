"""The server goes away and comes back: nothing is done twice, nothing is lost, and no process has to be restarted."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest

from shared.errors import Unavailable
from shared.models import CreateTask
from shared.postgres_url import with_data_folder
from shared.store import Store
from shared.store.postgres import pool, task_writes, writer
from tests.shared.store.owner import Owner, new_owner
from tests.shared.store.postgres.engine import PostgresEngine
from tests.support.postgresql import durable_postgresql
from tests.support.stores import open_store
from tests.support.waiting import until


def _backends(engine: PostgresEngine) -> list[int]:
    """The server's processes for the store's connections."""
    rows = engine._execute(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    return [pid for (pid,) in rows]


def _cut(engine: PostgresEngine) -> None:
    """End the store's connections, as a restart of the server does."""
    engine._execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


@contextmanager
def _frozen(engine: PostgresEngine) -> Iterator[None]:
    pids = _backends(engine)
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


async def _titles(owner: Owner) -> list[str]:
    return [task.task for task in await owner.tasks()]


async def test_connections_that_the_server_has_ended_are_no_failure(
    engine: PostgresEngine, owner: Owner
) -> None:
    await owner.create("before")
    _cut(engine)
    assert await _titles(owner) == ["before"]
    _cut(engine)
    await owner.create("after")
    assert await _titles(owner) == ["before", "after"]
    await engine.assert_sound()


async def test_a_frozen_server_is_unavailable_in_time_and_then_goes_on(
    engine: PostgresEngine, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "DEADLINE_SECONDS", 0.5)
    await owner.create("before")
    with _frozen(engine), pytest.raises(Unavailable) as caught:
        await owner.create("never")
    assert type(caught.value) is Unavailable, "an error's answer is found by its very type"
    await until(lambda: len(_backends(engine)) <= 1, 10, "the transaction that was cut has ended")
    await owner.create("after")
    assert await _titles(owner) == ["before", "after"]
    await engine.assert_sound()


Commit = Callable[[], Awaitable[Any]]
Instead = Callable[[Any, Commit], Awaitable[Any]]
"""What is done with a connection instead of a commit, which is given, too."""


class _AtCommit:
    """A connection that does something else where it is told to commit: by COMMIT, or by a statement without a transaction."""

    def __init__(self, connection: Any, instead: Instead) -> None:
        self._connection = connection
        self._instead = instead

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def execute(self, statement: str, *values: object) -> Any:
        return await self._do("COMMIT", self._connection.execute, statement, *values)

    async def fetchval(self, statement: str, *values: object) -> Any:
        return await self._do(task_writes.WRITE, self._connection.fetchval, statement, *values)

    async def _do(
        self, commit: str, way: Callable[..., Awaitable[Any]], statement: str, *values: object
    ) -> Any:
        if statement != commit or (statement != "COMMIT" and self._connection.is_in_transaction()):
            return await way(statement, *values)
        return await self._instead(self._connection, lambda: way(statement, *values))


def _first_commit(monkeypatch: pytest.MonkeyPatch, instead: Instead) -> None:
    """What the next transaction that is about to be committed does instead."""
    is_first = True

    def changed(carry_out: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def changed(connection: Any, **given: Any) -> None:
            await carry_out(_AtCommit(connection, once), **given)

        return changed

    async def once(connection: Any, commit: Commit) -> Any:
        nonlocal is_first
        if not is_first:
            return await commit()
        is_first = False
        return await instead(connection, commit)

    for name in ("_carry_out", "_carry_out_at_once"):
        monkeypatch.setattr(writer, name, changed(getattr(writer, name)))


@pytest.fixture(params=["one statement", "a transaction"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How groups are written."""

    async def overtaken(connection: Any, **given: Any) -> None:
        raise writer._Overtaken

    if request.param == "a transaction":
        monkeypatch.setattr(writer, "_carry_out_at_once", overtaken)
    return str(request.param)


async def _lose(connection: Any, _: Commit) -> None:
    connection.terminate()
    raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")


async def _commit_and_lose(connection: Any, commit: Commit) -> None:
    await commit()
    await _lose(connection, commit)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("commit", [_commit_and_lose, _lose], ids=["committed", "not committed"])
async def test_a_commit_whose_answer_is_lost_is_found_out_and_done_once(
    engine: PostgresEngine, owner: Owner, monkeypatch: pytest.MonkeyPatch, commit: Instead
) -> None:
    _first_commit(monkeypatch, commit)
    [written] = await owner.write(CreateTask(None, "once"))
    assert written.change is not None
    assert written.change.seq == 1
    assert await _titles(owner) == ["once"]
    assert [change.task_id for change in await owner.log()] == [written.task.uuid]
    await engine.assert_sound()


async def test_a_write_that_was_given_up_is_not_done_later(
    engine: PostgresEngine, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection is lost while it waits for a lock, and it is done again; the server goes on with the first one, too."""
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"

    async def lose_while_it_waits(connection: Any, commit: Commit) -> None:
        lost = asyncio.ensure_future(commit())
        await until(lambda: engine._execute(waiting) == [(1,)], 10, "it waits")
        connection.terminate()
        await lost

    _first_commit(monkeypatch, lose_while_it_waits)
    with psycopg.connect(engine.url) as holder:
        holder.execute("SELECT FROM feeds WHERE user_id = %s FOR UPDATE", (owner.id,))
        creating = asyncio.create_task(owner.create("once"))
        await until(lambda: engine._execute(waiting) == [(2,)], 10, "the second waits, too")
    await creating
    await until(lambda: engine._execute(waiting) == [(0,)], 10, "both are done")
    assert await _titles(owner) == ["once"]
    assert await owner.seq() == 1
    await engine.assert_sound()


async def test_a_commit_of_which_nothing_can_be_learned_is_not_guessed(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_SETTLE_SECONDS", 0.3)

    async def refuse_to_tell(connection: Any, number: Any) -> int:
        raise RuntimeError("a defect")

    _first_commit(monkeypatch, _commit_and_lose)
    monkeypatch.setattr(writer, "_set_fence", refuse_to_tell)
    with pytest.raises(Unavailable, match="try again") as caught:
        await owner.create("perhaps")
    assert "not known" in caught.value.reason
    assert await _titles(owner) == ["perhaps"]


@pytest.mark.parametrize(
    "lose", ["DELETE FROM writers", "UPDATE writers SET last_number = 1"], ids=["all", "the last"]
)
async def test_a_server_that_has_lost_earlier_commits_is_not_believed(
    engine: PostgresEngine, owner: Owner, monkeypatch: pytest.MonkeyPatch, lose: str
) -> None:
    """As after a failover to a server that was behind: what it does not know may have been done."""
    for title in ("one", "two"):
        await owner.create(title)

    async def fail_over(connection: Any, commit: Commit) -> None:
        await commit()
        engine._execute(lose)
        await _lose(connection, commit)

    _first_commit(monkeypatch, fail_over)
    with pytest.raises(Unavailable) as caught:
        await owner.create("perhaps")
    assert "not known" in caught.value.reason
    assert await _titles(owner) == ["one", "two", "perhaps"]
    await owner.create("after")
    assert await _titles(owner) == ["one", "two", "perhaps", "after"]


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("way", ["a transaction"], indirect=True)
async def test_a_commit_that_a_crash_has_undone_is_not_taken_for_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has lost the transaction, and gives its id to another."""
    with durable_postgresql() as server:
        url = with_data_folder(server.url, tmp_path)
        async with open_store(url) as store, open_store(url) as elsewhere:
            owner, other = await new_owner(store), await new_owner(elsewhere)
            ids: list[int] = []

            async def crash(connection: Any, commit: Commit) -> None:
                ids.append(await connection.fetchval("SELECT pg_current_xact_id()::text::bigint"))
                server.kill()
                server.start()
                await other.create("takes the id")
                await _lose(connection, commit)

            _first_commit(monkeypatch, crash)
            await owner.create("once")
            assert await _titles(owner) == ["once"]
            assert [change.seq for change in await owner.log()] == [1]
            with psycopg.connect(server.url) as connection:
                [taken] = connection.execute(
                    "SELECT xmin::text::bigint FROM tasks WHERE user_id = %s", (other.id,)
                ).fetchall()
            assert [taken] == [(ids[0],)], "this is what is tested"


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("way", ["a transaction"], indirect=True)
async def test_a_host_that_is_gone_in_a_transaction_does_not_hold_up_the_others(
    owner: Owner, elsewhere: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked, may_go_on = asyncio.Event(), asyncio.Event()

    async def be_away(_: Any, commit: Commit) -> Any:
        locked.set()
        await may_go_on.wait()
        return await commit()

    _first_commit(monkeypatch, be_away)
    late = asyncio.create_task(owner.create("late"))
    await locked.wait()
    async with asyncio.timeout(5):
        await Owner(elsewhere, owner.user).create("in time")
    may_go_on.set()
    await late
    assert await _titles(owner) == ["in time", "late"]


async def test_two_processes_that_take_one_uuid_at_once_do_not_disturb_each_other(
    engine: PostgresEngine, store: Store, elsewhere: Store, owner: Owner
) -> None:
    """Both find it free; one of them waits for the other, and is tried again."""
    other = await new_owner(elsewhere)
    for number in range(10):
        uuid = f"00000000-0000-4000-8000-{number:012}"
        outcomes = await asyncio.gather(
            owner.create("mine", uuid=uuid), other.create("theirs", uuid=uuid), return_exceptions=True
        )
        assert sum(isinstance(outcome, Exception) for outcome in outcomes) == 1
    await engine.assert_sound()
