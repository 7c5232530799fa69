"""Writes that wait for their outcome: what to send, and how the log tells what became of them. Pure.

**One write is on its way at a time.** So order is kept, and when the connection is lost the outcome of
at most one write is unknown. That one is looked for in the changes that the client catches up with:

- a *create* is known by its uuid. It is in the log: done. It is not: sent again, which is harmless,
  since a create is idempotent by uuid. (Only one that is carried out so late that another device has
  deleted the second one meanwhile brings the task back; no client can rule that out.)
- an *update* or a *delete* names the revision that it was made on, and only one change can follow on a
  revision. The one that did is in the log: with the same effect, the write is done; with another, it
  was not done (``Conflict``, or ``NotFound`` after a delete). None is: sent again, with the same
  revision; should the first sending still be carried out somewhere, only one of the two succeeds.

Where another device made the very same change to the same revision, the two cannot be told apart, and
need not be. Where there is no log (the history is gone), the state decides: a revision that is higher
by one, with the content that was wanted, is ours; anything that has moved on further is a conflict.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from taskbeam_client.errors import (
    Conflict,
    EarlierWriteFailed,
    NotFound,
    QueueFull,
    TaskbeamClientError,
    WriteFailed,
)
from taskbeam_client.models import Change, Task


class Outcome(NamedTuple):
    """``task`` is the result of a write that succeeded; ``None`` for a delete."""

    task: Task | None = None
    error: WriteFailed | None = None


class Write(ABC):
    """A write and its place in the queue.

    Attributes:
        sent: it may have reached the server.
        uncertain: a sending of it was never answered, so it may have been done.
        evidence: what the log or the state says of it since it was first sent.
    """

    def __init__(self, task_id: str, future: asyncio.Future[Any]) -> None:
        self.task_id = task_id
        self.future = future
        self.sent = False
        self.uncertain = False
        self.evidence: Outcome | None = None

    def observe(self, change: Change, before: Task | None) -> None:
        """A change has come, of a task that was ``before``."""
        if self.sent and self.evidence is None and change.task_id == self.task_id:
            self.evidence = self._judge_change(change, before)

    def observe_state(self, task: Task | None) -> None:
        """Changes were missed for good; ``task`` is what there is now."""
        if self.sent and self.evidence is None:
            self.evidence = self._judge_state(task)

    @abstractmethod
    def request(self) -> dict[str, Any]:
        """The message to send."""

    @abstractmethod
    def foresee(self, task: Task | None) -> Task | None:
        """What the task will be, when this write is done to it."""

    @abstractmethod
    def _judge_change(self, change: Change, before: Task | None) -> Outcome | None: ...

    @abstractmethod
    def _judge_state(self, task: Task | None) -> Outcome | None: ...


class Create(Write):
    """``draft`` is the task as it will be, but for the times and the owner, which the server gives it."""

    def __init__(self, draft: Task, future: asyncio.Future[Any]) -> None:
        super().__init__(draft.uuid, future)
        self._draft = draft

    def request(self) -> dict[str, Any]:
        task, description, completed = self._draft.content
        data = {"uuid": self.task_id, "task": task, "description": description, "completed": completed}
        return {"mode": "create", "data": data}

    def foresee(self, task: Task | None) -> Task | None:
        return self._draft if task is None else task

    def _judge_change(self, change: Change, before: Task | None) -> Outcome | None:
        return Outcome(change.task) if change.mode == "create" else None

    def _judge_state(self, task: Task | None) -> Outcome | None:
        return None if task is None else Outcome(task)


class _OnRevision(Write):
    """A write to the task as it was at ``rev``."""

    def __init__(self, task_id: str, rev: int, future: asyncio.Future[Any]) -> None:
        super().__init__(task_id, future)
        self.rev = rev

    def _judge_change(self, change: Change, before: Task | None) -> Outcome | None:
        if before is None or before.rev != self.rev:
            return None
        wanted = self.foresee(before)
        if (wanted and wanted.content) == (change.task and change.task.content):
            return Outcome(change.task)
        return Outcome(error=NotFound(self.task_id) if change.task is None else Conflict(change.task))


class Update(_OnRevision):
    """``fields`` are task, description, completed, those that are to change; ``base`` is what it was made on."""

    def __init__(self, base: Task, fields: Mapping[str, Any], future: asyncio.Future[Any]) -> None:
        super().__init__(base.uuid, base.rev, future)
        self._base = base
        self._fields = fields

    def request(self) -> dict[str, Any]:
        return {"mode": "update", "task_id": self.task_id, "rev": self.rev, "data": dict(self._fields)}

    def foresee(self, task: Task | None) -> Task | None:
        return None if task is None else replace(task, rev=task.rev + 1, **self._fields)

    def _judge_state(self, task: Task | None) -> Outcome | None:
        if task is None:
            return Outcome(error=NotFound(self.task_id))
        if task.rev <= self.rev:
            return None
        wanted = self.foresee(self._base)
        if wanted is not None and (task.rev, task.content) == (wanted.rev, wanted.content):
            return Outcome(task)
        return Outcome(error=Conflict(task))


class Delete(_OnRevision):
    def request(self) -> dict[str, Any]:
        return {"mode": "delete", "task_id": self.task_id, "rev": self.rev}

    def foresee(self, task: Task | None) -> Task | None:
        return None

    def _judge_state(self, task: Task | None) -> Outcome | None:
        if task is None:
            return Outcome()
        return None if task.rev <= self.rev else Outcome(error=Conflict(task))


class WriteQueue:
    """The writes in the order in which they were made; the first one is the one on its way."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._writes: deque[Write] = deque()

    def __len__(self) -> int:
        return len(self._writes)

    def require_room(self) -> None:
        """Raises QueueFull."""
        if len(self._writes) >= self._limit:
            raise QueueFull(f"{self._limit} writes are waiting")

    def add(self, write: Write) -> None:
        self._writes.append(write)

    def first(self) -> Write | None:
        """The next to be done. One whose caller was cancelled before it was sent is withdrawn."""
        while self._writes and self._writes[0].future.cancelled() and not self._writes[0].sent:
            self.finish(Outcome(error=WriteFailed("The write was withdrawn.")))
        return self._writes[0] if self._writes else None

    def finish(self, outcome: Outcome) -> None:
        """Settle the first write; one that failed takes along those that were made on top of it."""
        write = self._writes.popleft()
        if outcome.error is None:
            if not write.future.done():
                write.future.set_result(outcome.task)
            return
        _fail(write, outcome.error)
        followers = [other for other in self._writes if other.task_id == write.task_id]
        for follower in followers:
            self._writes.remove(follower)
            error = EarlierWriteFailed("A write before it, to the same task, failed.")
            error.__cause__ = outcome.error
            _fail(follower, error)

    def fail_all(self, error: TaskbeamClientError) -> None:
        while self._writes:
            _fail(self._writes.popleft(), error)

    def fail_on_new_history(self, tasks: Mapping[str, Task]) -> None:
        """The server was restored from a backup: revisions mean nothing any more, uuids still do."""
        kept: deque[Write] = deque()
        for write in self._writes:
            if isinstance(write, Create):
                write.evidence = None
                write.observe_state(tasks.get(write.task_id))
                kept.append(write)
            else:
                _fail(write, Conflict(tasks.get(write.task_id)))
        self._writes = kept

    def foresee(self, task_id: str, task: Task | None) -> Task | None:
        """What a task will be, when all that waits is done."""
        for write in self._writes:
            if write.task_id == task_id and write.evidence is None:
                task = write.foresee(task)
        return task

    def task_ids(self) -> list[str]:
        return [write.task_id for write in self._writes]


def _fail(write: Write, error: Exception) -> None:
    if not write.future.done():
        write.future.set_exception(error)
