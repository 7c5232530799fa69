"""The writes that wait for their turn, in the order in which they were made. Pure."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from taskbeam_client.errors import (
    AccountChanged,
    Conflict,
    EarlierWriteFailed,
    QueueFull,
    TaskbeamClientError,
)
from taskbeam_client.models import Task
from taskbeam_client.writes import Create, OnRevision, Outcome, Update, Write


class WriteFuture(asyncio.Future[Any]):
    """The outcome of a write; cancelling it takes effect at once, before whoever cancels does anything else."""

    on_cancel: Callable[[], None] | None = None

    def cancel(self, msg: Any | None = None) -> bool:
        cancelled = super().cancel(msg)
        if cancelled and self.on_cancel is not None:
            self.on_cancel()
        return cancelled


class WriteQueue:
    """The first one is the one on its way. Those of each task are kept together too, to foresee what it will be."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._writes: deque[Write] = deque()
        self._of_task: dict[str, list[Write]] = {}
        self._foreseen: dict[str, tuple[Task | None, Task | None]] = {}  # what a task is, and what it will be
        self.version = 0  # moves on with everything that may change what is foreseen

    def __len__(self) -> int:
        return len(self._writes)

    def require_room(self) -> None:
        """Raises QueueFull."""
        if len(self._writes) >= self._limit:
            raise QueueFull(f"{self._limit} writes are waiting")

    def add(self, write: Write) -> None:
        self._writes.append(write)
        self._of_task.setdefault(write.task_id, []).append(write)
        if (known := self._foreseen.get(write.task_id)) is not None:
            self._foreseen[write.task_id] = known[0], write.foresee(known[1])
        self.version += 1
        if isinstance(write.future, WriteFuture):
            write.future.on_cancel = partial(self._withdraw, write)

    def first(self) -> Write | None:
        """The next to be done. One whose caller was cancelled before it was sent is withdrawn."""
        while self._writes and self._writes[0].withdrawn:
            self._withdraw(self._writes[0])
        return self._writes[0] if self._writes else None

    def put_back(self) -> None:
        """The first one was refused before it was looked at: it is as if it had not been sent."""
        write = self._writes[0]
        write.sent, write.evidence = False, None
        self._foreseen.pop(write.task_id, None)
        self.version += 1

    def _withdraw(self, write: Write) -> None:
        """As if it had never been made: what was made on top of it is done without it, where that can be."""
        of_task = self._of_task.get(write.task_id, [])
        if not write.withdrawn or write not in of_task:
            return
        later = of_task[of_task.index(write) + 1 :]
        self._remove(write)
        if isinstance(write, Create):
            for follower in later:
                self._remove(follower)
                _fail(follower, EarlierWriteFailed("The create of its task was withdrawn."))
        elif isinstance(write, Update):
            task = write.base
            for follower in later:
                if task is None or not isinstance(follower, OnRevision):
                    break
                follower.rebase(task)
                task = follower.foresee(task)

    def finish(self, outcome: Outcome) -> None:
        """Settle the first write; one that failed takes along those that were made on top of it."""
        write = self._writes[0]
        self._remove(write)
        if outcome.error is None:
            if not write.future.done():
                write.future.set_result(outcome.task)
            return
        _fail(write, outcome.error)
        for follower in list(self._of_task.get(write.task_id, ())):
            self._remove(follower)
            error = EarlierWriteFailed("A write before it, to the same task, failed.")
            error.__cause__ = outcome.error
            _fail(follower, error)

    def _remove(self, write: Write) -> None:
        _detach(write)
        self._writes.remove(write)
        of_task = self._of_task[write.task_id]
        of_task.remove(write)
        if not of_task:
            del self._of_task[write.task_id]
        self._foreseen.pop(write.task_id, None)
        self.version += 1

    def fail_all(self, error: TaskbeamClientError) -> int:
        """Returns how many had no outcome yet. Nobody may ever ask for them: the event loop must not complain of each."""
        writes, self._writes = self._writes, deque()
        self._of_task.clear()
        self._foreseen.clear()
        self.version += 1
        for write in writes:
            _detach(write)
        waiting = [write for write in writes if not write.future.done()]
        for write in waiting:
            write.future.set_exception(error)
            write.future.exception()  # counts as asked for
        return len(waiting)

    def fail_on_new_account(self) -> int:
        """Another user is logged in: what one user has written is not done as the other. Returns how many there were."""
        return self.fail_all(AccountChanged("Another user is logged in now."))

    def fail_on_new_history(self, tasks: Mapping[str, Task]) -> None:
        """The server was restored from a backup: revisions mean nothing any more, uuids still do."""
        for write in list(self._writes):
            if isinstance(write, Create):
                write.evidence = None
                write.observe_state(tasks.get(write.task_id))
            else:
                self._remove(write)
                _fail(write, Conflict(tasks.get(write.task_id)))

    def foresee(self, task_id: str, task: Task | None) -> Task | None:
        """What a task will be, when all that waits is done. What was worked out is kept while the task is what it was."""
        writes = self._of_task.get(task_id)
        if writes is None:
            return task
        known = self._foreseen.get(task_id)
        if known is None or known[0] is not task:
            foreseen = task
            for write in writes:
                if write.evidence is None:
                    foreseen = write.foresee(foreseen)
            known = self._foreseen[task_id] = task, foreseen
        return known[1]

    def task_ids(self) -> Iterator[str]:
        """Those that are written to, each once, in the order of their first write."""
        return iter(self._of_task)


def _detach(write: Write) -> None:
    """The future does not hold the queue any more."""
    if isinstance(write.future, WriteFuture):
        write.future.on_cancel = None


def _fail(write: Write, error: Exception) -> None:
    if not write.future.done():
        write.future.set_exception(error)
