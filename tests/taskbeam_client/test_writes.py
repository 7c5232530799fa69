"""What becomes of a write whose answer was lost, told from the log; without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from taskbeam_client import Conflict, EarlierWriteFailed, NotFound, QueueFull, Refused, Task
from taskbeam_client.models import Change
from taskbeam_client.write_queue import WriteQueue
from taskbeam_client.writes import Create, Delete, Outcome, Update, Write

TASK = Task("uuid-1", 1, "2026-01-01T00:00:00.000000Z", "2026-01-01T00:00:00.000000Z", "Milk", "", False, 4)
WANTED = replace(TASK, completed=True, rev=5)
OTHER = replace(TASK, task="Bread", rev=5)


def future() -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_future()


def sent(write: Write) -> Write:
    write.sent = True
    return write


def an_update() -> Write:
    return sent(Update(TASK, {"completed": True}, future()))


def a_delete() -> Write:
    return sent(Delete(TASK.uuid, TASK.rev, future()))


def a_create() -> Write:
    return sent(Create(replace(TASK, rev=1), future()))


def changed(task: Task) -> Change:
    return Change(9, "update", task.uuid, task)


DELETED = Change(9, "delete", TASK.uuid, None)


@pytest.mark.parametrize(
    ("make", "change", "before", "expected"),
    [
        (an_update, changed(WANTED), TASK, WANTED),
        (an_update, changed(OTHER), TASK, Conflict),
        (an_update, DELETED, TASK, NotFound),
        (an_update, changed(replace(TASK, task="Tea")), replace(TASK, rev=3), None),
        (an_update, Change(9, "update", "uuid-2", WANTED), TASK, None),
        (a_delete, DELETED, TASK, "done"),
        (a_delete, changed(OTHER), TASK, Conflict),
        (a_delete, DELETED, replace(TASK, rev=5), None),
        (a_create, Change(9, "create", TASK.uuid, replace(TASK, rev=1)), None, replace(TASK, rev=1)),
        (a_create, Change(9, "create", "uuid-2", replace(TASK, rev=1)), None, None),
    ],
)
async def test_evidence_of_the_log(
    make: Callable[[], Write], change: Change, before: Task | None, expected: object
) -> None:
    write = make()
    write.observe(change, before)
    check(write.evidence, expected)


@pytest.mark.parametrize(
    ("make", "now", "expected"),
    [
        (an_update, TASK, None),
        (an_update, WANTED, WANTED),
        (an_update, OTHER, Conflict),
        (an_update, replace(WANTED, rev=6), Conflict),
        (an_update, None, NotFound),
        (a_delete, TASK, None),
        (a_delete, OTHER, Conflict),
        (a_delete, None, "done"),
        (a_create, TASK, TASK),
        (a_create, None, None),
    ],
)
async def test_evidence_of_the_state_alone(
    make: Callable[[], Write], now: Task | None, expected: object
) -> None:
    write = make()
    write.observe_state(now)
    check(write.evidence, expected)


def check(evidence: Outcome | None, expected: object) -> None:
    if expected is None:
        assert evidence is None
    elif expected == "done":
        assert evidence == Outcome()
    elif isinstance(expected, Task):
        assert evidence == Outcome(expected)
    else:
        assert evidence is not None
        assert type(evidence.error) is expected


async def test_what_was_not_sent_has_no_evidence() -> None:
    write = Update(TASK, {"completed": True}, future())
    write.observe(changed(WANTED), TASK)
    write.observe_state(WANTED)
    assert write.evidence is None


async def test_a_failure_takes_what_was_made_on_top_of_it() -> None:
    queue = WriteQueue(10)
    first, second = Update(TASK, {"task": "Tea"}, future()), Update(WANTED, {"task": "Rum"}, future())
    other = Update(replace(TASK, uuid="uuid-2"), {"task": "Gin"}, future())
    for write in (first, second, other):
        queue.add(write)
    queue.finish(Outcome(error=Conflict(OTHER)))
    assert isinstance(first.future.exception(), Conflict)
    failed = second.future.exception()
    assert isinstance(failed, EarlierWriteFailed)
    assert failed.__cause__ is first.future.exception()
    assert queue.first() is other


async def test_a_cancelled_write_is_withdrawn_unless_it_was_sent() -> None:
    queue = WriteQueue(10)
    withdrawn = Update(replace(TASK, uuid="uuid-2"), {"task": "Tea"}, future())
    kept = a_create()
    queue.add(withdrawn)
    queue.add(kept)
    withdrawn.future.cancel()
    kept.future.cancel()
    assert queue.first() is kept
    queue.finish(Outcome(TASK))
    assert len(queue) == 0


async def test_the_queue_is_bounded() -> None:
    queue = WriteQueue(2)
    for _ in range(2):
        queue.require_room()
        queue.add(Create(TASK, future()))
    with pytest.raises(QueueFull):
        queue.require_room()


async def test_a_new_history_keeps_creates_and_nothing_else() -> None:
    queue = WriteQueue(10)
    create, update, delete = a_create(), an_update(), a_delete()
    create.observe(Change(9, "create", TASK.uuid, TASK), None)  # in a history that is no more
    for write in (create, update, delete):
        queue.add(write)
    queue.fail_on_new_history({})
    assert queue.first() is create
    assert create.evidence is None
    for write in (update, delete):
        assert isinstance(write.future.exception(), Conflict)


async def test_writes_are_foreseen_until_they_are_seen() -> None:
    queue = WriteQueue(10)
    draft = replace(TASK, rev=1)
    create = Create(draft, future())
    update = Update(draft, {"task": "Tea"}, future())
    queue.add(create)
    queue.add(update)
    assert queue.foresee(TASK.uuid, None) == replace(TASK, task="Tea", rev=2)
    create.sent = True
    create.observe(Change(1, "create", TASK.uuid, draft), None)
    assert queue.foresee(TASK.uuid, draft) == replace(TASK, task="Tea", rev=2)
    queue.add(Delete(TASK.uuid, 2, future()))
    assert queue.foresee(TASK.uuid, draft) is None


async def test_all_fail_at_the_end() -> None:
    queue = WriteQueue(10)
    writes = [a_create(), an_update()]
    for write in writes:
        queue.add(write)
    queue.fail_all(error := Refused({"code": "x"}))
    assert [write.future.exception() for write in writes] == [error, error]
    assert len(queue) == 0
