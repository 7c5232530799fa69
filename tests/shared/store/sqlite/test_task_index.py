"""The order of each user's tasks, while some entries are merged into the index and others are pending."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import NotFound
from shared.models import CreateTask, DeleteTask
from shared.store import Store
from shared.store.sqlite import transaction
from shared.store.sqlite.task_index import PENDING_MAX, add_entries
from shared.uuid7 import tick_of
from tests.shared.store.owner import MISSING, NOW, READING, SECOND, Owner
from tests.shared.store.sqlite.engine import SqliteEngine


@pytest.fixture
async def store(engine: SqliteEngine) -> AsyncIterator[Store]:
    """Checked at its end."""
    async with engine.open() as store:
        yield store
    await engine.assert_sound()


async def test_refused_batch_leaves_nothing_in_the_order_of_tasks(engine: SqliteEngine, owner: Owner) -> None:
    refused, created = await engine.in_one_group(
        owner.store,
        owner.write(*[CreateTask(None, "never")] * 2 * PENDING_MAX, DeleteTask(MISSING)),
        owner.create(),
    )
    assert isinstance(refused, NotFound)
    assert await owner.tasks() == [created]


async def test_id_that_is_free_again_may_be_another_users(owner: Owner, stranger: Owner) -> None:
    """The first one's order of tasks may still have it."""
    [last] = (await owner.write(*[CreateTask(None, "a")] * (PENDING_MAX + 1)))[-1:]
    [old] = (await owner.write(CreateTask(None, "a")))[-1:]
    await owner.write(*[CreateTask(None, "later")] * PENDING_MAX, now=NOW + SECOND)
    await owner.delete(old.task.uuid)
    theirs = await stranger.create("theirs")
    assert tick_of(theirs.uuid) == tick_of(old.task.uuid)
    tasks = await owner.tasks()
    assert theirs.uuid not in [task.uuid for task in tasks]
    assert tasks[PENDING_MAX].uuid == last.task.uuid
    await owner.store.delete_user(owner.user, READING)
    assert (await stranger.tasks())[1:] == [theirs]


async def test_id_that_is_free_again_may_come_back_in_one_transaction(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction, "PENDING_MAX", 1)
    a, b, c = [(await owner.create(name)).uuid for name in "abc"]
    await owner.delete(a)
    await owner.delete(c)  # its id is in the index, and its removal waits
    await owner.write(DeleteTask(b), CreateTask(None, "with the id of c"), CreateTask(None, "after it"))
    tasks = await owner.tasks()
    assert [task.task for task in tasks] == ["with the id of c", "after it"]
    assert tick_of(tasks[0].uuid) == tick_of(c)


numbers = st.integers(1, 9)


@given(st.sets(numbers), st.lists(st.lists(numbers, max_size=3), max_size=8))
def test_index_and_pending_entries_are_the_tasks_that_there_are(
    index: set[int], groups: list[list[int]]
) -> None:
    """A task whose number comes is deleted where there is one, and else created."""
    tasks, pending = set(index), tuple[int, ...]()
    for group in groups:
        entries = []
        for number in group:
            entries.append(-number if number in tasks else number)
            tasks ^= {number}
        pending = add_entries(pending, entries)
        added = {entry for entry in pending if entry > 0}
        removed = {-entry for entry in pending if entry < 0}
        assert index - removed | added == tasks
        assert removed <= index, "each is in the index"
        assert not added & index, "none is in the index yet"
        assert len(pending) == len(added) + len(removed), "each is there once"
