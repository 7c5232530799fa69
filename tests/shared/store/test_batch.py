"""Several operations: all or nothing, and which of them was the first bad one."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from shared.errors import (
    Conflict,
    InvalidRequest,
    LimitReached,
    NotFound,
    TaskbeamError,
    UserGone,
    ValidationFailed,
)
from shared.models import CreateTask, DeleteTask, Operation, RefusedOperation, UpdateTask
from shared.store import Store
from tests.shared.store.owner import ENOUGH, MISSING, NOW, READING, Owner, new_owner

A = "aaaaaaaa-0000-4000-8000-000000000000"
B = "bbbbbbbb-0000-4000-8000-000000000000"


async def test_operations_see_one_another_and_take_consecutive_seqs(owner: Owner) -> None:
    await owner.create("before")
    written = await owner.write(
        CreateTask(A, "a"),
        CreateTask(B, "b"),
        UpdateTask(A, "a2", rev=1),
        DeleteTask(B, rev=1),
        CreateTask(B, "b again"),
    )
    changes = [result.change for result in written]
    assert [change.seq for change in changes if change] == [2, 3, 4, 5, 6]
    assert changes == (await owner.log())[1:]
    assert [(task.task, task.rev) for task in await owner.tasks()] == [
        ("before", 1),
        ("a2", 2),
        ("b again", 1),
    ]


async def test_concurrent_batches_do_not_mix_their_seqs(owner: Owner) -> None:
    batches = await asyncio.gather(
        *(owner.write(*[CreateTask(None, f"{batch}.{index}") for index in range(5)]) for batch in range(20))
    )
    for batch in batches:
        seqs = [result.change.seq for result in batch if result.change]
        assert seqs == list(range(seqs[0], seqs[0] + 5))
    assert [change.seq for change in await owner.log()] == list(range(1, 101))


async def test_replayed_create_in_a_batch_takes_no_seq(owner: Owner) -> None:
    written = await owner.write(CreateTask(A, "a"), CreateTask(A, "a"), CreateTask(B, "b"))
    assert [result.change.seq if result.change else None for result in written] == [1, None, 2]
    assert written[0].task == written[1].task


async def test_no_operations_write_nothing(owner: Owner) -> None:
    assert await owner.write() == []
    assert await owner.seq() == 0


FAILURES: dict[str, tuple[Operation, type[TaskbeamError]]] = {
    "missing": (UpdateTask(MISSING, "x"), NotFound),
    "conflict": (DeleteTask(A, rev=9), Conflict),
    "limit": (CreateTask(None, "one too many"), LimitReached),
    "refused": (RefusedOperation(InvalidRequest("bad", key="mode")), InvalidRequest),
}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("index", [0, 1, 3])
async def test_bad_operation_is_named_and_nothing_is_written(owner: Owner, failure: str, index: int) -> None:
    bad, error = FAILURES[failure]
    before = [await owner.create("a", uuid=A), await owner.create("b", uuid=B)]
    operations: list[Operation] = [UpdateTask(A, "a2"), UpdateTask(B, "b2"), UpdateTask(A, "a3")]
    operations.insert(index, bad)
    with pytest.raises(error) as failed:
        await owner.write(*operations, max_tasks=2)
    assert failed.value.extra["op"] == index
    assert await owner.tasks() == before
    assert [change.seq for change in await owner.log()] == [1, 2]
    [after] = await owner.write(UpdateTask(A, "after"))
    assert after.change is not None
    assert after.change.seq == 3


async def test_foreign_uuid_in_a_batch_is_named(owner: Owner, stranger: Owner) -> None:
    theirs = (await stranger.tasks())[0]
    with pytest.raises(ValidationFailed) as failed:
        await owner.write(CreateTask(None, "mine"), CreateTask(theirs.uuid, "theirs"))
    assert failed.value.extra["op"] == 1
    assert await owner.tasks() == []


async def test_earlier_failure_of_the_database_wins_over_a_later_refused_one(owner: Owner) -> None:
    operations = (CreateTask(None, "fine"), DeleteTask(MISSING), RefusedOperation(InvalidRequest("bad")))
    with pytest.raises(NotFound) as failed:
        await owner.write(*operations)
    assert failed.value.extra["op"] == 1


async def test_earlier_refused_one_wins_over_a_later_failure_of_the_database(owner: Owner) -> None:
    operations = (CreateTask(None, "fine"), RefusedOperation(InvalidRequest("bad")), DeleteTask(MISSING))
    with pytest.raises(InvalidRequest) as failed:
        await owner.write(*operations)
    assert failed.value.extra["op"] == 1


async def test_refused_batch_leaves_nothing_behind(owner: Owner) -> None:
    """An error has the frames that it was raised through, and they the batch that has the error."""
    refused = RefusedOperation(InvalidRequest("bad"))
    error = weakref.ref(refused.error)
    with pytest.raises(InvalidRequest):
        await owner.batch(CreateTask(None, "a"), refused)
    del refused
    await owner.create()  # the store lets go of a group when the next one comes
    gc.collect()
    assert error() is None


async def test_only_operation_of_a_batch_has_an_index(owner: Owner) -> None:
    with pytest.raises(NotFound) as failed:
        await owner.batch(DeleteTask(MISSING))
    assert failed.value.extra["op"] == 0


async def test_operation_by_itself_has_no_index(owner: Owner) -> None:
    with pytest.raises(NotFound) as failed:
        await owner.write(DeleteTask(MISSING))
    assert "op" not in failed.value.extra


async def test_batch_reaches_the_limit_where_it_would_exceed_it(owner: Owner) -> None:
    await owner.create("a", uuid=A)
    await owner.write(CreateTask(None, "b"), DeleteTask(A), CreateTask(None, "c"), max_tasks=2)
    with pytest.raises(LimitReached) as failed:
        await owner.write(*[CreateTask(None, "x")] * 3, max_tasks=4)
    assert failed.value.extra["op"] == 2
    assert len(await owner.tasks()) == 2


async def test_conflict_in_a_batch_carries_the_task_that_is_stored(owner: Owner) -> None:
    """Nothing of the batch was written: what its earlier operations made of the task never existed."""
    stored = await owner.create("stored", uuid=A)
    with pytest.raises(Conflict) as failed:
        await owner.write(UpdateTask(A, "never written", rev=1), UpdateTask(A, "nor this", rev=1))
    assert failed.value.extra == {"op": 1, "task": stored}


async def test_conflict_over_a_task_that_the_batch_itself_made_carries_none(owner: Owner) -> None:
    with pytest.raises(Conflict) as failed:
        await owner.write(CreateTask(A, "never written"), DeleteTask(A, rev=5))
    assert failed.value.extra == {"op": 1, "task": None}
    assert await owner.tasks() == []


async def test_batch_of_a_deleted_user_says_so(store: Store) -> None:
    gone = await new_owner(store)
    await store.delete_user(gone.user, READING)
    with pytest.raises(UserGone):
        await store.write_all(gone.id, [CreateTask(None, "a")] * 2, now=NOW, max_tasks=ENOUGH)
