"""What a process hears of its own commits, and when."""

from __future__ import annotations

import asyncio

import pytest

from shared.errors import NotFound
from shared.models import Change, CreateTask, UpdateTask
from shared.store import Commit, Store
from tests.shared.store.owner import MISSING, Owner, new_owner


class Heard:
    """A listener that remembers."""

    def __init__(self, store: Store) -> None:
        self.changes: list[Change] = []
        self.others = 0
        store.listen(self)

    def __call__(self, commit: Commit) -> None:
        assert commit.changes or commit.others
        self.changes += commit.changes
        self.others += commit.others


async def test_changes_are_heard_before_their_callers_are_answered(owner: Owner) -> None:
    heard = Heard(owner.store)

    async def write(number: int) -> None:
        [written] = await owner.write(CreateTask(None, str(number)))
        assert written.change in heard.changes

    await asyncio.gather(*(write(number) for number in range(100)))


async def test_changes_of_many_writers_are_heard_once_and_in_order(owner: Owner, stranger: Owner) -> None:
    heard = Heard(owner.store)
    authors = [owner, stranger] * 50
    await asyncio.gather(
        *(author.write(*[CreateTask(None, "a")] * (index % 3 + 1)) for index, author in enumerate(authors))
    )
    assert len(heard.changes) == 50 * 4 - 1
    assert heard.others == 0


async def test_what_wrote_nothing_is_not_heard(owner: Owner) -> None:
    task = await owner.create()
    heard = Heard(owner.store)
    with pytest.raises(NotFound):
        await owner.write(CreateTask(None, "rolled back"), UpdateTask(MISSING))
    await owner.write(CreateTask(task.uuid, "replayed"))
    assert (heard.changes, heard.others) == ([], 0)


async def test_other_writes_are_heard_as_such(store: Store) -> None:
    heard = Heard(store)
    owner = await new_owner(store)
    await owner.begin("one")
    await owner.end("one")
    assert heard.changes == []
    assert heard.others == 3


async def test_every_listener_hears(owner: Owner) -> None:
    first, second = Heard(owner.store), Heard(owner.store)
    await owner.create()
    assert first.changes == second.changes != []
