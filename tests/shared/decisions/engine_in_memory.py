"""The least that an engine is: dicts of feeds and tasks, which `decide` is asked about."""

from __future__ import annotations

import copy
from typing import Final

from shared.decisions.tasks import (
    BatchRequest,
    Decided,
    Feed,
    Kept,
    WriteRequest,
    decide,
    named_tasks,
)
from shared.models import (
    Change,
    Write,
)

Request = WriteRequest | BatchRequest

SECOND: Final = 1_000_000
NOW: Final = 1_700_000_000 * SECOND
A, B, C = (f"{letter * 8}-0000-4000-8000-000000000000" for letter in "abc")
USERS: Final = (1, 2, 3)
GONE: Final = 9


class Places:
    """Gives each new task the next number for its place, and where the client brought no uuid, one that says it."""

    def __init__(self) -> None:
        self.given: dict[int, str] = {}

    def __call__(self, now: int, uuid: str | None) -> tuple[str, int]:
        number = len(self.given)
        self.given[number] = uuid or f"made-{number}"
        return self.given[number], number


class Engine:
    """Keeps what was decided in dicts, from one group to the next."""

    def __init__(self) -> None:
        self.places = Places()
        self.feeds = {user_id: Feed(0, 0) for user_id in USERS}
        self.tasks: dict[str, Kept[int]] = {}
        self.log: list[Change] = []

    def commit(self, *requests: Request) -> Decided[int]:
        named = {uuid: kept for uuid in named_tasks(requests) if (kept := self.tasks.get(uuid)) is not None}
        before = copy.deepcopy((self.feeds, named))
        decided = decide(requests, self.feeds, named, self.places)
        assert (self.feeds, named) == before, "what goes in stays as it was"
        self.feeds.update(decided.feeds)
        for uuid, kept in decided.tasks.items():
            if kept is None:
                self.tasks.pop(uuid, None)
            else:
                self.tasks[uuid] = kept
        self.log += decided.changes
        return decided


def ask(user_id: int, operation: Write, *, now: int = NOW, max_tasks: int = 99) -> WriteRequest:
    return WriteRequest(user_id, now, max_tasks, 5, operation)
