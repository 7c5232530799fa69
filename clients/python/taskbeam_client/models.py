"""What the server speaks of: tasks, changes of tasks, and the state as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True)
class Task:
    """A task as the server has it.

    Attributes:
        uuid: its name, lower-case and dashed.
        user_id: whose it is.
        time_created: ISO 8601 in UTC, always of one length: the order of the texts is that of the times.
        time_modified: the same.
        task: its title, 1 to 255 characters.
        description: up to 10,000 characters.
        completed: whether it is done.
        rev: 1 at its creation, one more at every change.
    """

    uuid: str
    user_id: int
    time_created: str
    time_modified: str
    task: str
    description: str
    completed: bool
    rev: int

    @classmethod
    def from_json(cls, json: Mapping[str, Any]) -> Task:
        """Keys that a newer server may add are left out."""
        return cls(
            json["uuid"],
            json["user_id"],
            json["time_created"],
            json["time_modified"],
            json["task"],
            json["description"],
            json["completed"],
            json["rev"],
        )

    @property
    def content(self) -> tuple[str, str, bool]:
        """What a user has written, without what the server keeps about it."""
        return self.task, self.description, self.completed


class History(NamedTuple):
    """What a ``seq`` counts in: one user's changes in one life of the database."""

    epoch: str
    user_id: int


@dataclass(frozen=True, slots=True)
class Change:
    """One step of the user's log.

    Attributes:
        seq: its place in the log: one more than the change before.
        mode: ``create``, ``update`` or ``delete``.
        task_id: the task's uuid.
        task: the task after the change; ``None`` when it was deleted.
        own: this client made it, and no other device or other run of this program. (If another device made the same change
            to the same revision while the answer to this client was lost, the two cannot be told apart.) Two changes that
            differ in this alone are equal.
    """

    seq: int
    mode: str
    task_id: str
    task: Task | None
    own: bool = field(default=False, compare=False)

    @classmethod
    def from_json(cls, json: Mapping[str, Any]) -> Change:
        """From a task frame, or from an entry of ``sync``: they differ in what a delete has for a task."""
        task = None if json["mode"] == "delete" else Task.from_json(json["task"])
        return cls(json["seq"], json["mode"], json["task_id"], task, own="id" in json)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All tasks of a user at ``seq``, in order of creation.

    Attributes:
        epoch: the server's history that ``seq`` belongs to.
        seq: the last change that the tasks contain.
        tasks: in order of creation.
        user_id: whose they are.
    """

    epoch: str
    seq: int
    tasks: tuple[Task, ...]
    user_id: int = 0


Event = Change | Snapshot
"""What a stream of changes yields: a snapshot says what there is, the changes after it what became of it."""
