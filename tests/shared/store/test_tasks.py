"""One operation at a time: what is written, numbered and refused."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable

import pytest

from shared.errors import Conflict, LimitReached, NotFound, UserGone, ValidationFailed
from shared.models import CreateTask, DeleteTask, Task, UpdateTask
from shared.store import Store
from tests.shared.store.owner import MISSING, NOW, READING, SECOND, Owner, at, new_owner

CLIENT_UUID = "16f894b8-cb89-4672-9561-0b80cc75ae1b"


async def test_created_task_is_as_asked_for_and_at_revision_one(owner: Owner) -> None:
    [written] = await owner.write(CreateTask(None, "Buy milk", "2 litres", completed=True))
    task = written.task.decode()
    assert task == Task(task.uuid, owner.id, at(0), at(0), "Buy milk", "2 litres", True, rev=1)
    assert str(uuid.UUID(task.uuid)) == task.uuid
    assert await owner.read(task.uuid) == task


async def test_client_may_bring_the_uuid(owner: Owner) -> None:
    assert (await owner.create(uuid=CLIENT_UUID)).uuid == CLIENT_UUID


async def test_update_changes_the_given_fields_alone(owner: Owner) -> None:
    [written] = await owner.write(CreateTask(None, "Buy milk", "2 litres"))
    [updated] = await owner.write(UpdateTask(written.task.uuid, completed=True), now=NOW + SECOND)
    expected = Task(written.task.uuid, owner.id, at(0), at(1), "Buy milk", "2 litres", True, rev=2)
    assert updated.task.decode() == expected
    assert await owner.read(expected.uuid) == expected


async def test_fields_can_be_set_to_empty_and_false(owner: Owner) -> None:
    [written] = await owner.write(CreateTask(None, "Buy milk", "2 litres", completed=True))
    [updated] = await owner.write(UpdateTask(written.task.uuid, description="", completed=False))
    task = updated.task.decode()
    assert (task.description, task.completed) == ("", False)


async def test_update_to_what_is_already_there_is_a_change_too(owner: Owner) -> None:
    task = await owner.create("same")
    updated = await owner.update(task.uuid, "same", now=NOW + SECOND)
    assert (updated.rev, updated.time_modified, await owner.seq()) == (2, at(1), 2)


async def test_clock_set_back_never_turns_the_time_of_modification_back(owner: Owner) -> None:
    task = await owner.create(now=NOW + 10 * SECOND)
    updated = await owner.update(task.uuid, "later", now=NOW)
    assert (updated.time_created, updated.time_modified) == (at(10), at(10))


async def test_delete_answers_with_the_task_as_it_was(owner: Owner) -> None:
    task = await owner.create()
    assert await owner.delete(task.uuid) == task
    assert await owner.tasks() == []
    with pytest.raises(NotFound):
        await owner.read(task.uuid)


async def test_text_of_any_script_comes_back_as_it_went_in(owner: Owner) -> None:
    text = "Ⅷ ☃ \N{PILE OF POO} e\u0301 ' \" \\ % _ \u2028 \x7f"
    [written] = await owner.write(CreateTask(None, text, text * 20))
    stored = await owner.read(written.task.uuid)
    assert (stored.task, stored.description) == (text, text * 20)


async def test_seq_counts_every_change_of_a_user_from_one(owner: Owner, stranger: Owner) -> None:
    assert await owner.seq() == 0
    task = await owner.create()
    await stranger.create()
    await owner.update(task.uuid, "b")
    await stranger.create()
    await owner.delete(task.uuid)
    assert [(change.seq, change.mode) for change in await owner.log()] == [
        (1, "create"),
        (2, "update"),
        (3, "delete"),
    ]
    assert [change.seq for change in await stranger.log()] == [1, 2, 3]


async def test_change_holds_the_task_as_the_write_left_it(owner: Owner) -> None:
    [created] = await owner.write(CreateTask(None, "Buy milk", "☃"), write_id=7)
    [updated] = await owner.write(UpdateTask(created.task.uuid, completed=True), write_id=None)
    [deleted] = await owner.write(DeleteTask(created.task.uuid))
    log = await owner.log()
    assert log == [created.change, updated.change, deleted.change]
    assert [change.task for change in log] == [created.task.json, updated.task.json, None]
    assert {change.task_id for change in log} == {created.task.uuid}
    assert [change.write_id for change in log] == [7, None, None]


async def test_refused_operation_takes_no_seq(owner: Owner) -> None:
    task = await owner.create()
    with pytest.raises(Conflict):
        await owner.update(task.uuid, "b", rev=5)
    with pytest.raises(NotFound):
        await owner.delete(MISSING)
    with pytest.raises(LimitReached):
        await owner.write(CreateTask(None, "c"), max_tasks=1)
    assert await owner.tasks() == [task]
    assert await owner.seq() == 1
    assert (await owner.write(CreateTask(None, "d")))[0].change == (await owner.log())[1]


async def test_replayed_create_writes_nothing_and_answers_with_the_stored_task(owner: Owner) -> None:
    await owner.create("first", uuid=CLIENT_UUID)
    stored = await owner.update(CLIENT_UUID, "changed since")
    [replayed] = await owner.write(CreateTask(CLIENT_UUID, "first"))
    assert (replayed.task.decode(), replayed.change) == (stored, None)
    assert await owner.tasks() == [stored]
    assert await owner.seq() == 2


async def test_replayed_create_is_answered_even_at_the_limit(owner: Owner) -> None:
    task = await owner.create(uuid=CLIENT_UUID)
    [replayed] = await owner.write(CreateTask(CLIENT_UUID, "again"), max_tasks=1)
    assert (replayed.task.decode(), replayed.change) == (task, None)


async def test_uuid_of_a_deleted_task_may_be_taken_again(owner: Owner) -> None:
    await owner.create(uuid=CLIENT_UUID)
    await owner.delete(CLIENT_UUID)
    assert (await owner.create(uuid=CLIENT_UUID)).rev == 1
    assert await owner.seq() == 3


async def test_uuid_of_another_user_is_a_bad_field(owner: Owner, stranger: Owner) -> None:
    theirs = (await stranger.tasks())[0]
    with pytest.raises(ValidationFailed) as failed:
        await owner.create(uuid=theirs.uuid)
    assert list(failed.value.errors) == ["uuid"]
    assert await owner.seq() == 0


Attempt = Callable[[Owner, str], Awaitable[object]]


@pytest.mark.parametrize(
    "attempt",
    [
        lambda owner, uuid: owner.read(uuid),
        lambda owner, uuid: owner.update(uuid, "mine now"),
        lambda owner, uuid: owner.update(uuid, "mine now", rev=99),
        lambda owner, uuid: owner.delete(uuid),
        lambda owner, uuid: owner.delete(uuid, rev=99),
    ],
    ids=["read", "update", "update at a revision", "delete", "delete at a revision"],
)
async def test_foreign_id_answers_exactly_as_a_missing_one(
    owner: Owner, stranger: Owner, attempt: Attempt
) -> None:
    theirs = (await stranger.tasks())[0]
    answers = []
    for task_id in (theirs.uuid, MISSING):
        with pytest.raises(NotFound) as missing:
            await attempt(owner, task_id)
        answers.append((type(missing.value), missing.value.message, missing.value.extra))
    assert answers[0] == answers[1]
    assert await stranger.tasks() == [theirs]


async def test_conflict_carries_the_current_task(owner: Owner) -> None:
    task = await owner.create()
    current = await owner.update(task.uuid, "moved on")
    for attempt in (owner.update(task.uuid, "mine", rev=1), owner.delete(task.uuid, rev=1)):
        with pytest.raises(Conflict) as conflict:
            await attempt
        assert conflict.value.extra == {"task": current}
    assert await owner.tasks() == [current]


async def test_current_revision_passes(owner: Owner) -> None:
    task = await owner.create()
    updated = await owner.update(task.uuid, "b", rev=1)
    assert (await owner.delete(task.uuid, rev=2)) == updated


async def test_limit_counts_the_tasks_that_are_there(owner: Owner) -> None:
    first = await owner.create()
    await owner.create()
    with pytest.raises(LimitReached) as reached:
        await owner.write(CreateTask(None, "third"), max_tasks=2)
    assert reached.value.extra == {"limit": 2}
    await owner.delete(first.uuid)
    await owner.write(CreateTask(None, "third"), max_tasks=2)
    assert len(await owner.tasks()) == 2


async def test_limit_is_for_each_user_alone(owner: Owner, stranger: Owner) -> None:
    assert len(await stranger.tasks()) == 1
    await owner.write(CreateTask(None, "mine"), max_tasks=1)
    assert len(await owner.tasks()) == 1


async def test_deleted_user_can_do_nothing(store: Store) -> None:
    gone = await new_owner(store)
    await store.delete_user(gone.user, READING)
    for attempt in (gone.create(), gone.tasks(), gone.seq(), gone.log()):
        with pytest.raises(UserGone):
            await attempt
    with pytest.raises(NotFound):
        await store.task(gone.id, MISSING)
