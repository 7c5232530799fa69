"""Writes that are committed together: they see one another, and each comes out as by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared.errors import (
    Conflict,
    LimitReached,
    NotFound,
    TaskbeamError,
    UserGone,
    ValidationFailed,
)
from shared.models import CreateTask, DeleteTask, UpdateTask
from shared.store import Store
from tests.shared.store.engine import Engine
from tests.shared.store.owner import MISSING, NOW, READING, SECOND, Owner, new_owner

A = "aaaaaaaa-0000-4000-8000-000000000000"
B = "bbbbbbbb-0000-4000-8000-000000000000"
C = "cccccccc-0000-4000-8000-000000000000"


@pytest.fixture
async def store(engine: Engine) -> AsyncIterator[Store]:
    """Checked at its end."""
    async with engine.open() as store:
        yield store
    await engine.assert_sound()


async def _modes(owner: Owner) -> list[str]:
    return [change.mode for change in await owner.log()]


# One task


@pytest.mark.parametrize("existed", [False, True])
async def test_task_that_lives_for_one_batch_leaves_its_changes(owner: Owner, existed: bool) -> None:
    if existed:
        await owner.create("before", uuid=A)
        await owner.delete(A)
    written = await owner.write(CreateTask(A, "a"), UpdateTask(A, "b", rev=1), DeleteTask(A, rev=2))
    assert [(result.task.decode().task, result.task.rev) for result in written] == [
        ("a", 1),
        ("b", 2),
        ("b", 2),
    ]
    assert await owner.tasks() == []
    assert (await _modes(owner))[-3:] == ["create", "update", "delete"]


async def test_task_that_lives_for_one_group_leaves_its_changes(engine: Engine, owner: Owner) -> None:
    created, updated, deleted, late = await engine.in_one_group(
        owner.store,
        owner.create("a", uuid=A),
        owner.update(A, "b", rev=1),
        owner.delete(A, rev=2),
        owner.update(A, "c"),
    )
    assert (created.rev, updated.rev, deleted) == (1, 2, updated)
    assert isinstance(late, NotFound)
    assert await owner.tasks() == []
    assert await _modes(owner) == ["create", "update", "delete"]


async def test_stored_task_goes_through_a_group_as_through_many(engine: Engine, owner: Owner) -> None:
    await owner.create("stored", uuid=A)
    outcomes = await engine.in_one_group(
        owner.store,
        owner.update(A, "b", rev=1, now=NOW + SECOND),
        owner.update(A, "never", rev=1),
        owner.update(A, "c", rev=2, now=NOW + 2 * SECOND),
        owner.create("replayed", uuid=A),
    )
    assert isinstance(outcomes[1], Conflict)
    assert outcomes[1].extra["task"] == outcomes[0]
    assert outcomes[2] == outcomes[3] == await owner.read(A)
    assert (outcomes[2].task, outcomes[2].rev) == ("c", 3)


@pytest.mark.parametrize("stored", [False, True])
async def test_uuid_may_be_taken_again_in_the_same_batch(owner: Owner, stored: bool) -> None:
    first = [] if stored else [CreateTask(A, "old")]
    if stored:
        await owner.create("old", uuid=A)
    await owner.write(*first, UpdateTask(A, "older"), DeleteTask(A), CreateTask(A, "new"))
    [task] = await owner.tasks()
    assert (task.task, task.rev) == ("new", 1)
    updated = await owner.update(A, "newer", rev=1)
    assert await owner.tasks() == [updated]
    await owner.delete(A)
    assert await owner.tasks() == []


@pytest.mark.parametrize("stored", [False, True])
async def test_uuid_may_be_taken_again_in_the_same_group(engine: Engine, owner: Owner, stored: bool) -> None:
    if stored:
        await owner.create("old", uuid=A, now=NOW - SECOND)
    *_, created, updated = await engine.in_one_group(
        owner.store,
        owner.create("old", uuid=A),
        owner.delete(A),
        owner.create("new", uuid=A, now=NOW + SECOND),
        owner.update(A, "newer", rev=1, now=NOW + 2 * SECOND),
    )
    assert (created.task, created.rev) == ("new", 1)
    assert await owner.tasks() == [updated]
    assert (updated.time_created, updated.rev) == (created.time_created, 2)


async def test_uuid_may_be_taken_by_another_user_once_it_is_free(
    engine: Engine, owner: Owner, stranger: Owner
) -> None:
    await owner.create("mine", uuid=A)
    outcomes = await engine.in_one_group(
        owner.store,
        stranger.create("too early", uuid=A),
        stranger.delete(A),
        owner.delete(A),
        stranger.create("theirs", uuid=A),
        owner.read(A),
        owner.update(A, "not mine any more"),
        owner.create("nor this", uuid=A),
    )
    assert [type(outcome) for outcome in outcomes if isinstance(outcome, TaskbeamError)][:2] == [
        ValidationFailed,
        NotFound,
    ]
    assert isinstance(outcomes[5], NotFound)
    assert isinstance(outcomes[6], ValidationFailed)
    assert await owner.tasks() == []
    assert [task.task for task in await stranger.tasks()] == ["A stranger's own", "theirs"]


@pytest.mark.parametrize("stored", [False, True])
async def test_task_created_again_comes_after_the_earlier_ones(owner: Owner, stored: bool) -> None:
    """Tasks of one moment are listed in the order of their creation, and it is the later creation that counts."""
    if stored:
        await owner.write(CreateTask(A, "first"), CreateTask(B, "second"))
        await owner.write(DeleteTask(A), CreateTask(C, "third"), CreateTask(A, "anew"))
    else:
        await owner.write(
            CreateTask(A, "first"),
            CreateTask(B, "second"),
            DeleteTask(A),
            CreateTask(C, "third"),
            CreateTask(A, "anew"),
        )
    assert [task.task for task in await owner.tasks()] == ["second", "third", "anew"]


# Refusals


async def test_batch_that_fails_after_all_that_leaves_what_was_there(engine: Engine, owner: Owner) -> None:
    stored = await owner.create("stored", uuid=A)
    refused, updated, created = await engine.in_one_group(
        owner.store,
        owner.write(
            UpdateTask(A, "b"),
            DeleteTask(A),
            CreateTask(A, "anew"),
            CreateTask(B, "b"),
            UpdateTask(B, "c"),
            DeleteTask(MISSING),
        ),
        owner.update(A, "after", rev=1),
        owner.create("mine", uuid=B),
    )
    assert isinstance(refused, NotFound)
    assert refused.extra["op"] == 5
    assert (updated.time_created, updated.rev) == (stored.time_created, 2)
    assert await owner.tasks() == [updated, created]
    assert await owner.seq() == 3


async def test_failing_batch_undoes_itself_and_not_what_the_group_did_before(
    engine: Engine, owner: Owner
) -> None:
    created, refused, updated = await engine.in_one_group(
        owner.store,
        owner.create("a", uuid=A),
        owner.write(UpdateTask(A, "never"), DeleteTask(A), UpdateTask(A, "nor this")),
        owner.update(A, "b", rev=1),
    )
    assert isinstance(refused, NotFound)
    assert created.rev == 1
    assert await owner.tasks() == [updated]
    assert await owner.seq() == 2


async def test_conflict_in_a_batch_carries_what_the_group_made_of_the_task(
    engine: Engine, owner: Owner
) -> None:
    await owner.create("stored", uuid=A)
    updated, refused = await engine.in_one_group(
        owner.store,
        owner.update(A, "by the group"),
        owner.write(UpdateTask(A, "never"), UpdateTask(A, "nor this", rev=2)),
    )
    assert refused.extra == {"op": 1, "task": updated}
    assert await owner.tasks() == [updated]


async def test_limit_counts_what_the_group_has_made_and_deleted(engine: Engine, owner: Owner) -> None:
    outcomes = await engine.in_one_group(
        owner.store,
        owner.write(CreateTask(A, "a"), max_tasks=1),
        owner.write(CreateTask(B, "b"), max_tasks=1),
        owner.write(DeleteTask(A), CreateTask(B, "b"), CreateTask(C, "c"), max_tasks=1),
        owner.write(DeleteTask(A), CreateTask(C, "c"), max_tasks=1),
    )
    refused = [isinstance(outcome, LimitReached) for outcome in outcomes]
    assert refused == [False, True, True, False]
    assert [task.uuid for task in await owner.tasks()] == [C]


async def test_refusing_operation_fails_alone_in_its_group(engine: Engine, owner: Owner) -> None:
    commits = await engine.count_commits(owner.store)
    outcomes = await asyncio.gather(
        *(
            owner.write(CreateTask(None, "a"), *([UpdateTask(MISSING)] if number % 10 == 3 else []))
            for number in range(100)
        ),
        return_exceptions=True,
    )
    for number, outcome in enumerate(outcomes):
        assert isinstance(outcome, NotFound if number % 10 == 3 else list)
    assert await owner.seq() == 90
    assert commits() <= 3, "a refusal is no reason to begin anew"
    await engine.assert_sound()


async def test_two_users_writes_in_one_group_number_by_themselves(store: Store) -> None:
    owners = [await new_owner(store) for _ in range(5)]
    await asyncio.gather(*(owners[number % 5].create() for number in range(100)))
    for owner in owners:
        assert [change.seq for change in await owner.log()] == list(range(1, 21))


# Accounts among tasks


async def test_user_who_is_deleted_in_the_middle_is_gone_from_there_on(
    engine: Engine, owner: Owner, stranger: Owner
) -> None:
    gone = await new_owner(owner.store)
    first, mine, ended, refused, theirs, again = await engine.in_one_group(
        owner.store,
        gone.create("a", uuid=A),
        owner.create("mine"),
        owner.store.delete_user(gone.user, READING),
        gone.create("b", uuid=B),
        stranger.create("theirs", uuid=A),
        owner.create("mine again"),
    )
    assert first.task == "a"
    assert ended is True
    assert isinstance(refused, UserGone)
    assert await owner.tasks() == [mine, again]
    assert (await stranger.tasks())[1:] == [theirs]


async def test_account_work_between_a_users_writes_costs_them_nothing(engine: Engine, owner: Owner) -> None:
    await owner.create("stored", uuid=A)
    outcomes = await engine.in_one_group(
        owner.store,
        owner.update(A, "b", rev=1),
        owner.store.set_password(owner.user, "another", READING),
        owner.update(A, "c", rev=2),
        owner.store.add_user("new", "new", "hash", NOW),
        owner.store.add_user("new", "new", "hash", NOW),
        owner.delete(A, rev=3),
        owner.create("anew", uuid=A),
    )
    assert isinstance(outcomes[4], ValidationFailed)
    assert await owner.tasks() == [outcomes[6]]
    assert await _modes(owner) == ["create", "update", "update", "delete", "create"]
    fresh = Owner(owner.store, outcomes[3])
    await fresh.create()
    assert await fresh.seq() == 1


# Many rows at once


@pytest.mark.parametrize("rows", [1, 3, 4, 5, 15, 16, 17, 63, 64, 65, 85, 100, 148])
async def test_groups_of_every_size_come_out_whole(
    engine: Engine, owner: Owner, stranger: Owner, rows: int
) -> None:
    await engine.in_one_group(
        owner.store, *((owner, stranger)[number % 3 == 2].create(str(number)) for number in range(rows))
    )
    mine = [str(number) for number in range(rows) if number % 3 != 2]
    tasks = await owner.tasks()
    assert [task.task for task in tasks] == mine
    assert [change.task_id for change in await owner.log()] == [task.uuid for task in tasks]
    await engine.in_one_group(
        owner.store,
        *(
            owner.update(task.uuid, "changed") if number % 2 else owner.delete(task.uuid)
            for number, task in enumerate(tasks)
        ),
    )
    assert [task.uuid for task in await owner.tasks()] == [task.uuid for task in tasks[1::2]]


async def test_users_who_write_in_one_group_each_have_their_own_counters(
    engine: Engine, store: Store
) -> None:
    owners = [await new_owner(store) for _ in range(70)]
    await engine.in_one_group(store, *(owner.create() for owner in owners * 3))
    for owner in owners:
        assert (await owner.seq(), len(await owner.tasks())) == (3, 3)
