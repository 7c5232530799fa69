"""What clients tried to write, and what they were told of it."""

from __future__ import annotations

from typing import NamedTuple

from tests.support.reconnecting_clients import Json


def key_of(mode: str, task_id: str, task: Json | None) -> str:
    """A change's name, unique in a test: each write sets a description of its own, each task is deleted once."""
    if mode == "delete" or task is None:
        return f"delete {task_id}"
    return f"write {task['description']}"


class Told(NamedTuple):
    """An acknowledged change. Over REST there is no seq; of a deleted task there is nothing to see."""

    user_id: int
    key: str
    seq: int | None
    task: Json | None


class Ledger:
    """Written by clients on the event loop, read by the audit on its thread."""

    def __init__(self) -> None:
        self.tried: dict[str, int] = {}  # by key, the user
        self.batches: dict[str, tuple[str, ...]] = {}  # by key, all keys of the batch that it is of
        self.unknown: set[str] = set()
        self.told: list[Told] = []
        self.unavailable = 0

    def trying(self, user_id: int, keys: tuple[str, ...]) -> None:
        """To be called before anything is sent."""
        for key in keys:
            self.tried[key] = user_id
            if len(keys) > 1:
                self.batches[key] = keys

    def acknowledged(self, told: list[Told]) -> None:
        self.told.extend(told)
        self.unknown.difference_update(item.key for item in told)

    def lost(self, keys: tuple[str, ...]) -> None:
        self.unknown.update(keys)
