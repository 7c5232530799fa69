"""The tasks as they will be, when all writes that wait are done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from taskbeam_client.models import Task


class Preview(Mapping[str, Task]):
    """Tasks by uuid, of one moment: those that are there, and on top of them those that waiting writes touch.

    Args:
        foreseen: ``None`` for a task that will be gone.
    """

    __slots__ = ("_added", "_foreseen", "_removed", "_tasks")

    def __init__(self, tasks: Mapping[str, Task], foreseen: Mapping[str, Task | None]) -> None:
        self._tasks = tasks
        self._foreseen = foreseen
        self._added = [
            task_id for task_id, task in foreseen.items() if task is not None and task_id not in tasks
        ]
        self._removed = sum(task is None and task_id in tasks for task_id, task in foreseen.items())

    def __getitem__(self, task_id: str) -> Task:
        task = self._foreseen[task_id] if task_id in self._foreseen else self._tasks[task_id]
        if task is None:
            raise KeyError(task_id)
        return task

    def __iter__(self) -> Iterator[str]:
        for task_id in self._tasks:
            if self._foreseen.get(task_id, self) is not None:
                yield task_id
        yield from self._added

    def __len__(self) -> int:
        return len(self._tasks) - self._removed + len(self._added)

    def __repr__(self) -> str:
        return f"Preview({dict(self)!r})"
