"""A short list is read once, and anew as soon as anybody has written to it."""

from __future__ import annotations

import pytest

from shared.models import CreateTask, TaskQuery
from shared.store import Store
from shared.store.sqlite import list_cache
from tests.shared.store.owner import Owner, listed, new_owner
from tests.shared.store.sqlite.sqlite_file import inline_connection


@pytest.fixture
def read(store: Store) -> list[str]:
    """The statements that read tasks on the event loop, as they are executed."""
    statements: list[str] = []

    def see(statement: str) -> None:
        if "AS entry" in statement:
            statements.append(statement)

    inline_connection(store).set_trace_callback(see)
    return statements


NEWEST_FIRST = TaskQuery(ordering=(("time_created", True),))


async def test_list_that_nobody_changed_is_read_once(owner: Owner, stranger: Owner, read: list[str]) -> None:
    task = await owner.create()
    for _ in range(3):
        assert await owner.tasks() == [task]
    assert len(read) == 1
    await stranger.create("of no concern")
    assert await owner.tasks() == [task]
    assert len(read) == 1
    assert [task.task for task in await stranger.tasks()] == ["A stranger's own", "of no concern"]
    assert listed(await owner.store.tasks(owner.id, NEWEST_FIRST)) == [task]
    assert len(read) == 3, "another list is another list"


async def test_number_of_kept_lists_is_bounded(
    store: Store, monkeypatch: pytest.MonkeyPatch, read: list[str]
) -> None:
    monkeypatch.setattr(list_cache, "_PAGES_MAX", 3)
    owners = [await new_owner(store) for _ in range(4)]
    for owner in owners:
        await owner.tasks()
    await owners[-1].tasks()
    assert len(read) == 4
    await owners[0].tasks()
    assert len(read) == 5


async def test_large_list_is_not_kept(owner: Owner, read: list[str]) -> None:
    await owner.write(*[CreateTask(None, "a", "d" * 1000)] * 40)
    for _ in range(2):
        assert len(await owner.tasks()) == 40
    assert len(read) == 2
