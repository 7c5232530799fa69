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
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from taskbeam_client.errors import Conflict, NotFound, WriteFailed
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

    @property
    def withdrawn(self) -> bool:
        """Its caller has cancelled it before it was sent."""
        return not self.sent and self.future.cancelled()

    def observe(self, change: Change, before: Task | None) -> bool:
        """A change has come, of a task that was ``before``. Returns whether it is taken for what a lost sending of this
        write has done; the answer to a sending says itself that it is one."""
        if not self.sent or self.evidence is not None or change.task_id != self.task_id:
            return False
        self.evidence = self._judge_change(change, before)
        return self.uncertain and self.evidence is not None and self.evidence.error is None

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


class OnRevision(Write):
    """A write to the task as it was at ``rev``.

    Args:
        base: what the task will be when this write has its turn, as far as it is known.
        named: its caller has named another revision than that.
    """

    def __init__(
        self,
        task_id: str,
        rev: int,
        future: asyncio.Future[Any],
        *,
        base: Task | None = None,
        named: bool = False,
    ) -> None:
        super().__init__(task_id, future)
        self.rev = rev
        self.base = base
        self._named = named

    def rebase(self, base: Task) -> None:
        """An update before it was withdrawn: the task will be at one revision less, and this, if nobody else wrote."""
        if self._named:
            return
        self.rev -= 1
        if base.rev == self.rev:
            self.base = base
        elif self.base is not None:
            self.base = replace(self.base, rev=self.rev)

    def _judge_change(self, change: Change, before: Task | None) -> Outcome | None:
        if before is None or before.rev != self.rev:
            return None
        wanted = self.foresee(before)
        if (wanted and wanted.content) == (change.task and change.task.content):
            return Outcome(change.task)
        return Outcome(error=NotFound(self.task_id) if change.task is None else Conflict(change.task))


class Update(OnRevision):
    """``fields`` are task, description, completed, those that are to change; ``base`` is what it was made on."""

    def __init__(
        self, base: Task, fields: Mapping[str, Any], future: asyncio.Future[Any], *, named: bool = False
    ) -> None:
        super().__init__(base.uuid, base.rev, future, base=base, named=named)
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
        wanted = self.foresee(self.base)
        if wanted is not None and (task.rev, task.content) == (wanted.rev, wanted.content):
            return Outcome(task)
        return Outcome(error=Conflict(task))


class Delete(OnRevision):
    """Take a task away."""

    def request(self) -> dict[str, Any]:
        return {"mode": "delete", "task_id": self.task_id, "rev": self.rev}

    def foresee(self, task: Task | None) -> Task | None:
        return None

    def _judge_state(self, task: Task | None) -> Outcome | None:
        if task is None:
            return Outcome()
        return None if task.rev <= self.rev else Outcome(error=Conflict(task))
