"""What the tasks will be: of one moment, and cheap to ask for."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from taskbeam_client.models import Change, Snapshot, Task
from taskbeam_client.state import State
from taskbeam_client.write_queue import WriteFuture
from taskbeam_client.writes import Create, Delete, Update


def a_task(number: int) -> Task:
    return Task(f"uuid-{number}", 1, f"{number:06d}", f"{number:06d}", "A task", "", False, 1)


def future() -> WriteFuture:
    return WriteFuture(loop=asyncio.get_running_loop())


def state_of(count: int) -> State:
    state = State(10)
    state.replica.load(Snapshot("one", 7, tuple(a_task(number) for number in range(count)), 1))
    return state


async def test_it_has_what_waits_on_top_of_what_there_is() -> None:
    state = state_of(3)
    state.queue.add(Delete("uuid-0", 1, future()))
    state.queue.add(Update(a_task(1), {"task": "Tea"}, future()))
    state.queue.add(Create(a_task(9), future()))
    state.queue.add(Create(a_task(10), future()))
    state.queue.add(Delete("uuid-10", 1, future()))
    preview = state.preview
    assert list(preview) == ["uuid-1", "uuid-2", "uuid-9"]
    assert list(preview.values()) == [replace(a_task(1), task="Tea", rev=2), a_task(2), a_task(9)]
    assert len(preview) == 3
    assert "uuid-0" not in preview
    assert "uuid-10" not in preview
    assert preview.get("uuid-2") == a_task(2)
    with pytest.raises(KeyError):
        preview["uuid-0"]


async def test_one_that_was_kept_stays_as_it_was() -> None:
    state = state_of(2)
    before = state.preview
    state.queue.add(Create(a_task(9), future()))
    state.replica.apply(Change(8, "delete", "uuid-0", None))
    assert list(before) == ["uuid-0", "uuid-1"]
    assert state.preview.keys() - before.keys() == {"uuid-9"}
    assert list(state.preview) == ["uuid-1", "uuid-9"]


async def test_it_is_made_again_only_when_something_has_changed() -> None:
    state = state_of(2)
    update = Update(a_task(1), {"task": "Tea"}, future())
    assert state.preview is state.preview
    seen = [state.preview]
    for change in (
        lambda: state.queue.add(update),
        lambda: state.queue.add(Create(a_task(9), future())),
        lambda: state.replica.apply(Change(8, "create", "uuid-5", a_task(5))),
        update.future.cancel,
    ):
        change()
        assert state.preview not in seen
        assert state.preview is state.preview
        seen.append(state.preview)
    assert list(state.preview) == ["uuid-0", "uuid-1", "uuid-5", "uuid-9"]


async def test_asking_for_it_copies_nothing_of_the_tasks_while_they_stay() -> None:
    state = state_of(10)
    tasks = state.replica.copy()
    for number in range(5):
        state.queue.add(Create(a_task(100 + number), future()))
        assert len(state.preview) == 11 + number
    assert state.replica.copy() is tasks
