"""The server goes away and comes back: nothing is done twice, nothing is lost, and no process has to be restarted."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest

from shared.errors import Unavailable
from shared.models import CreateTask
from shared.store import Store
from shared.store.postgres import pool, writer
from tests.shared.store.owner import Owner, new_owner
from tests.shared.store.postgres.engine import PostgresEngine
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


class _LosesTheCommit:
    """A connection whose COMMIT has no answer."""

    def __init__(self, connection: Any, *, is_done: bool) -> None:
        self._connection = connection
        self._is_done = is_done

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def execute(self, statement: str, *values: object) -> Any:
        if statement != "COMMIT":
            return await self._connection.execute(statement, *values)
        if self._is_done:
            await self._connection.execute(statement)
        self._connection.terminate()
        raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")


@pytest.mark.parametrize("is_done", [True, False], ids=["committed", "not committed"])
async def test_a_commit_whose_answer_is_lost_is_found_out_and_done_once(
    engine: PostgresEngine, owner: Owner, monkeypatch: pytest.MonkeyPatch, is_done: bool
) -> None:
    carry_out, losses = writer._carry_out, 1

    async def lossy(connection: Any, **given: Any) -> None:
        nonlocal losses
        losses -= 1
        await carry_out(_LosesTheCommit(connection, is_done=is_done) if losses >= 0 else connection, **given)

    monkeypatch.setattr(writer, "_carry_out", lossy)
    [written] = await owner.write(CreateTask(None, "once"))
    assert written.change is not None
    assert written.change.seq == 1
    assert await _titles(owner) == ["once"]
    assert [change.task_id for change in await owner.log()] == [written.task.uuid]
    assert losses == (0 if is_done else -1)
    await engine.assert_sound()


async def test_a_commit_of_which_nothing_can_be_learned_is_not_guessed(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    carry_out = writer._carry_out
    monkeypatch.setattr(writer, "_SETTLE_SECONDS", 0.3)

    async def lossy(connection: Any, **given: Any) -> None:
        await carry_out(_LosesTheCommit(connection, is_done=True), **given)

    async def in_progress(connection: Any, xid: str) -> str:
        return "in progress"

    monkeypatch.setattr(writer, "_carry_out", lossy)
    monkeypatch.setattr(writer, "_read_status", in_progress)
    with pytest.raises(Unavailable, match="try again") as caught:
        await owner.create("perhaps")
    assert "not known" in caught.value.reason


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
