"""The local copy: equal to the server's state at ``seq``, always. Pure; no I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from taskbeam_client.models import Change, History, Snapshot, Task


class OutOfOrder(ValueError):
    """A change that is not the next one: the caller must ask for those between, or drop it."""


class Replica:
    """``tasks`` by uuid, in order of creation; a read-only view that stays valid. No ``history``: no copy yet."""

    def __init__(self) -> None:
        self.history: History | None = None
        self.seq = 0
        self._tasks: dict[str, Task] = {}
        self.tasks: Mapping[str, Task] = MappingProxyType(self._tasks)
        self._copy: dict[str, Task] | None = None
        self._newest = ""  # the highest time_created that was ever here

    def snapshot(self) -> Snapshot | None:
        if self.history is None:
            return None
        epoch, user_id = self.history
        return Snapshot(epoch, self.seq, tuple(self._tasks.values()), user_id)

    def copy(self) -> Mapping[str, Task]:
        """The tasks of this moment; the same object until something changes."""
        if self._copy is None:
            self._copy = self._tasks.copy()
        return self._copy

    def load(self, snapshot: Snapshot) -> None:
        """Forget everything, and begin from here."""
        self.history, self.seq = History(snapshot.epoch, snapshot.user_id), snapshot.seq
        self._copy = None
        self._tasks.clear()
        self._tasks.update((task.uuid, task) for task in snapshot.tasks)
        self._newest = max((task.time_created for task in snapshot.tasks), default="")

    @property
    def epoch(self) -> str | None:
        return None if self.history is None else self.history.epoch

    def apply(self, change: Change) -> Task | None:
        """Take the next step; returns the task as it was before.

        Raises:
            OutOfOrder: nothing was done.
        """
        if self.history is None or change.seq != self.seq + 1:
            raise OutOfOrder(f"change {change.seq} does not follow {self.seq}")
        self._copy = None
        before = self._tasks.get(change.task_id)
        if change.task is None:
            self._tasks.pop(change.task_id, None)
        else:
            self._tasks[change.task_id] = change.task
            if before is None:
                self._put_in_order(change.task)
        self.seq = change.seq
        return before

    def _put_in_order(self, created: Task) -> None:
        """Two writers may commit in another order than they looked at their clocks."""
        if created.time_created < self._newest:
            ordered = sorted(self._tasks.items(), key=lambda item: item[1].time_created)
            self._tasks.clear()
            self._tasks.update(ordered)
        else:
            self._newest = created.time_created
