"""What clients attempted to write, and what the servers answered."""

from __future__ import annotations

from typing import NamedTuple

from tests.support.reconnecting_clients import Json


def key_of(mode: str, task_id: str, task: Json | None) -> str:
    """A unique name for a change: each write sets a description of its own, each task is deleted once."""
    if mode == "delete" or task is None:
        return f"delete {task_id}"
    return f"write {task['description']}"


class Acknowledged(NamedTuple):
    """An acknowledged change. REST answers no seq; a delete answers no task."""

    user_id: int
    key: str
    seq: int | None
    task: Json | None


class Ledger:
    """Clients write it on the event loop, the audit reads it on its thread."""

    def __init__(self) -> None:
        self.attempted: dict[str, int] = {}  # the user by key
        self.batches: dict[str, tuple[str, ...]] = {}  # all keys of its batch, by key
        self.unknown: set[str] = set()
        self.acknowledged: list[Acknowledged] = []
        self.unavailable = 0

    def record_attempt(self, user_id: int, keys: tuple[str, ...]) -> None:
        """Call it before the request is sent."""
        for key in keys:
            self.attempted[key] = user_id
            if len(keys) > 1:
                self.batches[key] = keys

    def record_acknowledged(self, changes: list[Acknowledged]) -> None:
        self.acknowledged.extend(changes)
        self.unknown.difference_update(change.key for change in changes)

    def record_unknown(self, keys: tuple[str, ...]) -> None:
        self.unknown.update(keys)
