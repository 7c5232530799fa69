"""The one door for reading and writing tasks, the same for both transports."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import NoReturn

from shared.clock import Clock, system_clock
from shared.errors import ValidationFailed
from shared.models import (
    CHANGES_PAGE,
    ChangePage,
    DeleteTask,
    Operation,
    StoredTask,
    TaskPage,
    TaskQuery,
    Write,
    Written,
)
from shared.rules.requests import canonical_task_id
from shared.rules.tasks import clean_create, clean_update
from shared.store import Store


class TaskService:
    """Checks what a caller gave and has the store do it.

    Ids are as the caller gave them, data a decoded JSON object. ``write_id`` marks the changes of a
    request whose answer travels on the change feed (see ``ws_server.hub``).
    """

    def __init__(self, store: Store, max_tasks: int, clock: Clock = system_clock) -> None:
        self._store = store
        self._max_tasks = max_tasks
        self._clock = clock

    @property
    def epoch(self) -> str:
        return self._store.epoch

    def read(self, user_id: int, task_id: str) -> Awaitable[StoredTask]:
        """Raises NotFound."""
        return self._store.task(user_id, canonical_task_id(task_id))

    async def find(self, user_id: int, query: TaskQuery) -> TaskPage:
        return await self._store.tasks(user_id, query)

    def create(
        self, user_id: int, data: Mapping[str, object], *, write_id: int | None = None
    ) -> Awaitable[Written]:
        """Raises ValidationFailed, LimitReached."""
        return self._write(user_id, clean_create(data), write_id)

    def update(
        self,
        user_id: int,
        task_id: str,
        data: Mapping[str, object],
        *,
        rev: int | None = None,
        write_id: int | None = None,
    ) -> Awaitable[Written]:
        """Keys left out keep their value. Raises NotFound, ValidationFailed, Conflict."""
        task_id = canonical_task_id(task_id)
        try:
            operation = clean_update(task_id, data, rev)
        except ValidationFailed as refusal:
            return self._refuse_update(user_id, task_id, refusal)
        return self._write(user_id, operation, write_id)

    async def _refuse_update(self, user_id: int, task_id: str, refusal: ValidationFailed) -> NoReturn:
        await self._store.task(user_id, task_id)  # a task that is not there comes first, as in DRF
        raise refusal

    def delete(
        self, user_id: int, task_id: str, *, rev: int | None = None, write_id: int | None = None
    ) -> Awaitable[Written]:
        """Raises NotFound, Conflict."""
        return self._write(user_id, DeleteTask(canonical_task_id(task_id), rev), write_id)

    def batch(self, user_id: int, operations: Sequence[Operation]) -> Awaitable[list[Written]]:
        """All or nothing; an error over an operation has its index among its extras, ``op``."""
        return self._store.write_all(user_id, operations, now=self._clock(), max_tasks=self._max_tasks)

    async def changes(self, user_id: int, epoch: str, since: int, limit: int = CHANGES_PAGE) -> ChangePage:
        """The changes after ``since``, or why there can be none."""
        return await self._store.changes(user_id, epoch, since, limit)

    async def seq(self, user_id: int) -> int:
        return await self._store.seq(user_id)

    def _write(self, user_id: int, operation: Write, write_id: int | None) -> Awaitable[Written]:
        return self._store.write(
            user_id, operation, now=self._clock(), max_tasks=self._max_tasks, write_id=write_id
        )
