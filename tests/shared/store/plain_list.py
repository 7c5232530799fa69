"""What a list of tasks must be: a plain list of all of them, filtered, sorted and cut."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from shared.models import CreateTask, DeleteTask, Task, TaskQuery
from tests.shared.store.owner import NOW, SECOND, Owner

Ordering = tuple[tuple[str, bool], ...]
OLDEST_FIRST: Final[Ordering] = (("time_created", False),)
NEWEST_FIRST: Final[Ordering] = (("time_created", True),)
BY_TEXT: Final[Ordering] = (("task", False), ("time_created", True))
BY_TIME_AND_TEXT: Final[Ordering] = (("time_created", True), ("task", False))


async def fill(owner: Owner, tasks: int) -> None:
    """Of four moments, so that there are ties; and one more, deleted again."""
    for moment in range(4):
        await owner.write(
            *[
                CreateTask(None, f"Task {number % 7}", f"number {number}", completed=number % 3 == 0)
                for number in range(moment, tasks, 4)
            ],
            now=NOW + moment * SECOND,
        )
    [extra] = await owner.write(CreateTask(None, "deleted again"))
    await owner.write(DeleteTask(extra.task.uuid))


def expected_list(tasks: list[Task], query: TaskQuery) -> tuple[list[Task], int]:
    """The page and the count, from all tasks in the order of their creation."""
    found = [
        task
        for task in tasks
        if query.completed in (None, task.completed)
        and all(term in f"{task.task}\n{task.description}".casefold() for term in query.search)
    ]
    if query.ordering[0][1]:
        found.reverse()
    for field, descends in reversed(query.ordering):
        found.sort(key=lambda task: getattr(task, field), reverse=descends)
    end = None if query.limit is None else query.offset + query.limit
    return found[query.offset : end], len(found)


def queries(border: int) -> Iterator[TaskQuery]:
    """Of every kind, with pages that end before, at and beyond so many tasks."""
    for completed, search in ((None, ()), (True, ()), (False, ("task 3",)), (None, ("number 1", "task"))):
        for ordering in (OLDEST_FIRST, NEWEST_FIRST, BY_TEXT, BY_TIME_AND_TEXT):
            for limit, offset in (
                (None, 0),
                (1, 0),
                (border, 0),
                (border + 1, 0),
                (border, 1),
                (1, border - 1),
                (1, border),
                (5, 48),
                (50, 1000),
                (None, 97),
            ):
                yield TaskQuery(completed, search, ordering, limit, offset)
