"""An import that is interrupted, repeated, and meets what was done here meanwhile."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest

from shared.clock import ClockReading
from shared.models import CreateTask, DeleteTask, TaskQuery
from shared.store import Store
from shared.store.django.rows import Counts, EndedTokenRow, TaskRow, UserRow
from taskbeam.django_import.importing import Import
from taskbeam.django_import.report import Report, Row
from tests.support.stores import open_store

AT: Final = ClockReading(1_700_000_000, 1_000_000, "a start of the machine")
JOINED: Final = "2020-01-01 00:00:00"
USERS: Final = [UserRow(7, "ann", "!", 1, JOINED), UserRow(9, "bob", "md5$a$b", 1, JOINED)]
TASKS: Final = [
    TaskRow(uuid.UUID(int=number), 7 if number % 3 else 9, f"Task {number}", "", 0, JOINED, JOINED)
    for number in range(600)
]


class Rows:
    """A source in memory."""

    def __init__(self, users: Sequence[UserRow] = USERS, tasks: Sequence[TaskRow] = TASKS) -> None:
        self._users = users
        self._tasks = tasks

    def counts(self) -> Counts:
        return Counts(len(self._users), len(self._tasks))

    def users(self) -> Iterator[UserRow]:
        return iter(self._users)

    def tasks(self) -> Iterator[TaskRow]:
        return iter(self._tasks)

    def ended_tokens(self) -> Iterator[EndedTokenRow]:
        return iter([EndedTokenRow("jti", None, JOINED, JOINED), EndedTokenRow("old", 7, JOINED, JOINED)])


class Interrupted(Exception):
    pass


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{tmp_path}/taskbeam.db") as store:
        yield store


async def _import(store: Store, rows: Rows | None = None, *, max_tasks: int = 1000) -> Report:
    return await Import(rows or Rows(), store, max_tasks, AT, lambda done, total: None).run()


async def test_an_interrupted_import_goes_on(store: Store) -> None:
    def interrupt(done: int, total: int) -> None:
        assert total == 602
        if done > 300:
            raise Interrupted

    with pytest.raises(Interrupted):
        await Import(Rows(), store, 1000, AT, interrupt).run()
    report = await _import(store)
    assert (report.users.added, report.users.present) == (0, 2)
    assert (report.tasks.added, report.tasks.present) == (600 - 512, 512)
    assert await store.seqs([7, 9]) == {7: 400, 9: 200}
    assert (await store.tasks(9, TaskQuery())).count == 200


async def test_progress_ends_with_all_rows(store: Store) -> None:
    told: list[tuple[int, int]] = []
    await Import(Rows(), store, 1000, AT, lambda done, total: told.append((done, total))).run()
    assert told[0] == (2, 602)
    assert told[-1] == (602, 602)


async def test_users_who_cannot_log_in_are_named(store: Store) -> None:
    report = await _import(store)
    assert report.passwords == [
        Row("ann", "has none there"),
        Row("bob", "its hash is of no form that is read"),
    ]
    assert report.ended_tokens == 0, "one is nobody's, one has expired"


async def test_what_was_deleted_here_does_not_come_back(store: Store) -> None:
    await _import(store)
    gone, again = str(TASKS[0].uuid), str(TASKS[3].uuid)
    now = AT.time * 1_000_000
    for deleted in (gone, again):
        await store.write(9, DeleteTask(deleted), now=now, max_tasks=1000)
    await store.write(9, CreateTask(again, "Anew"), now=now, max_tasks=1000)
    report = await _import(store)
    assert (report.tasks.added, report.tasks.present) == (0, 598)
    assert report.tasks.differing == [
        Row(gone, "deleted here since it was imported"),
        Row(again, "changed since it was imported, here or there"),
    ]


async def test_tasks_above_the_limit_are_named(store: Store) -> None:
    report = await _import(store, max_tasks=250)
    assert report.tasks.added == 450
    assert len(report.tasks.skipped) == 150
    assert report.tasks.skipped[0].reason == "its user has as many tasks as the settings allow"


async def test_the_task_of_somebody_else_stays_theirs(store: Store) -> None:
    await store.add_user("cay", "cay", "!", 0)
    taken = TASKS[0]
    await store.write(1, CreateTask(str(taken.uuid), "Mine"), now=0, max_tasks=9)
    report = await _import(store, Rows(tasks=[taken, TASKS[1]]))
    assert report.tasks.added == 1
    assert report.tasks.skipped == [Row(str(taken.uuid), "uuid: This field must be unique.")]


async def test_a_user_who_cannot_come_in_leaves_the_others(store: Store) -> None:
    users = [UserRow(1, "two words", "!", 1, JOINED), *USERS]
    tasks = [TASKS[0]._replace(user_id=1), TASKS[0]]
    report = await _import(store, Rows(users, tasks))
    assert [row.id for row in report.users.skipped] == ["two words"]
    assert report.tasks.skipped == [Row(str(TASKS[0].uuid), "the user 1 is not here")]
    assert (report.users.added, report.tasks.added) == (2, 1)
