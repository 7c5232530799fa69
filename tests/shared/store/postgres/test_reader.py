"""Single tasks that are asked for at the same time are read by one query."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shared.errors import NotFound, Unavailable
from shared.store import Store
from shared.store.postgres import reader
from shared.store.postgres.tasks import read_tasks
from tests.shared.store.owner import MISSING, Owner


class _Queries:
    """How many reads of tasks have begun; the next may fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sizes: list[int] = []
        self.failure: Exception | None = None

        async def counted(connection: Any, uuids: Any) -> Any:
            self.sizes.append(len(uuids))
            if self.failure is not None:
                raise self.failure
            return await read_tasks(connection, uuids)

        monkeypatch.setattr(reader, "read_tasks", counted)


@pytest.fixture
def queries(monkeypatch: pytest.MonkeyPatch) -> _Queries:
    return _Queries(monkeypatch)


async def test_what_is_asked_for_at_once_is_one_query_and_each_gets_its_own(
    owner: Owner, stranger: Owner, queries: _Queries
) -> None:
    tasks = [await owner.create(f"Task {number}") for number in range(20)]
    [foreign] = await stranger.tasks()
    wanted = [task.uuid for task in tasks] + [foreign.uuid, MISSING, tasks[0].uuid]
    results = await asyncio.gather(*[owner.read(uuid) for uuid in wanted], return_exceptions=True)
    assert results[:20] == tasks
    assert [type(result) for result in results[20:22]] == [NotFound, NotFound]
    assert results[22] == tasks[0]
    assert queries.sizes == [22]


async def test_a_read_sees_what_was_written_before_it(owner: Owner, queries: _Queries) -> None:
    task = await owner.create("first")

    async def keep_reading() -> None:
        while True:
            await owner.read(task.uuid)

    readers = [asyncio.create_task(keep_reading()) for _ in range(8)]
    for number in range(50):
        await owner.update(task.uuid, f"{number}")
        assert (await owner.read(task.uuid)).task == f"{number}"
    for each in readers:
        each.cancel()
    await asyncio.wait(readers)
    assert max(queries.sizes) == 1, "they all want the same task"


@pytest.mark.parametrize("failure", [OSError("gone"), ValueError("a defect")])
async def test_a_query_that_fails_fails_its_readers_and_no_others(
    store: Store, owner: Owner, queries: _Queries, failure: Exception
) -> None:
    task = await owner.create("a")
    queries.failure = failure
    results = await asyncio.gather(*[owner.read(task.uuid) for _ in range(3)], return_exceptions=True)
    expected = Unavailable if isinstance(failure, OSError) else type(failure)
    assert [type(result) for result in results] == [expected] * 3
    queries.failure = None
    assert await owner.read(task.uuid) == task
