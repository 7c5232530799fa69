"""The rules of a write, one by one, each after "one" was created as A by user 1."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.clock import timestamp
from shared.decisions.tasks import (
    BatchRequest,
    Feed,
    Outcome,
    WriteRequest,
    named_tasks,
)
from shared.errors import (
    Conflict,
    InvalidRequest,
    LimitReached,
    NotFound,
    TaskbeamError,
    UserGone,
    ValidationFailed,
)
from shared.models import (
    CreateTask,
    DeleteTask,
    Operation,
    RefusedOperation,
    Task,
    UpdateTask,
    Write,
    Written,
)
from tests.shared.decisions.engine_in_memory import (
    GONE,
    NOW,
    SECOND,
    A,
    B,
    C,
    Engine,
    Request,
    ask,
)


def _error(outcome: Outcome) -> TaskbeamError:
    assert isinstance(outcome, TaskbeamError)
    return outcome


def _task(outcome: Outcome) -> Task:
    assert isinstance(outcome, Written)
    return outcome.task.decode()


@pytest.fixture
def engine() -> Engine:
    engine = Engine()
    engine.commit(ask(1, CreateTask(A, "one")))
    return engine


@pytest.mark.parametrize(
    ("request_", "error", "extra"),
    [
        (ask(1, UpdateTask(B)), NotFound, {}),
        (ask(2, UpdateTask(A)), NotFound, {}),
        (ask(2, DeleteTask(A)), NotFound, {}),
        (
            ask(2, CreateTask(A, "two")),
            ValidationFailed,
            {"errors": {"uuid": ["This field must be unique."]}},
        ),
        (ask(1, CreateTask(B, "two"), max_tasks=1), LimitReached, {"limit": 1}),
        (ask(GONE, CreateTask(B, "two")), UserGone, {}),
        (ask(GONE, DeleteTask(A)), NotFound, {}),
    ],
)
def test_refusals(
    engine: Engine, request_: WriteRequest, error: type[TaskbeamError], extra: dict[str, object]
) -> None:
    [outcome] = engine.commit(request_).outcomes
    refusal = _error(outcome)
    assert type(refusal) is error
    assert refusal.extra == extra
    in_batch = BatchRequest(request_.user_id, NOW, request_.max_tasks, [request_.operation])
    assert _error(engine.commit(in_batch).outcomes[0]).extra == {**extra, "op": 0}


@pytest.mark.parametrize("operation", [UpdateTask(A, "two"), DeleteTask(A)])
def test_user_who_is_gone_changes_no_task_even_where_one_was_left_behind(
    engine: Engine, operation: Write
) -> None:
    del engine.feeds[1]
    decided = engine.commit(ask(1, operation))
    assert isinstance(decided.outcomes[0], UserGone)
    assert (decided.changes, decided.feeds, decided.tasks) == ([], {}, {})


@pytest.mark.parametrize("operation", [UpdateTask(A, "two", rev=2), DeleteTask(A, rev=2)])
def test_conflict_shows_the_task_as_it_is(engine: Engine, operation: Write) -> None:
    refusal = _error(engine.commit(ask(1, operation)).outcomes[0])
    assert isinstance(refusal, Conflict)
    assert refusal.extra == {"task": engine.tasks[A].task.decode()}


@pytest.mark.parametrize(
    "before", [[UpdateTask(A, "two")], [DeleteTask(A), CreateTask(A, "anew"), UpdateTask(A, "newer")]]
)
def test_conflict_in_a_batch_shows_the_task_as_it_was_before_the_batch(
    engine: Engine, before: list[Operation]
) -> None:
    task = engine.tasks[A].task.decode()
    batch = BatchRequest(1, NOW, 99, [*before, UpdateTask(A, "three", rev=7)])
    refusal = _error(engine.commit(batch).outcomes[0])
    assert isinstance(refusal, Conflict)
    assert refusal.extra == {"task": task, "op": len(before)}


def test_conflict_over_a_task_that_the_batch_itself_made_shows_none(engine: Engine) -> None:
    batch = BatchRequest(1, NOW, 99, [CreateTask(B, "two"), DeleteTask(B, rev=2)])
    assert _error(engine.commit(batch).outcomes[0]).extra == {"task": None, "op": 1}


def test_earlier_operation_that_fails_comes_before_one_that_was_refused_already(engine: Engine) -> None:
    refused = RefusedOperation(InvalidRequest("no object"))
    first = engine.commit(BatchRequest(1, NOW, 99, [DeleteTask(B), refused])).outcomes[0]
    later = engine.commit(BatchRequest(1, NOW, 99, [DeleteTask(A), refused])).outcomes[0]
    assert (type(first), _error(first).extra["op"]) == (NotFound, 0)
    assert (type(later), _error(later).extra["op"]) == (InvalidRequest, 1)


@pytest.mark.parametrize("again", [CreateTask(A, "another text"), CreateTask(A, "one")])
def test_create_with_a_uuid_that_the_user_has_answers_with_that_task(
    engine: Engine, again: CreateTask
) -> None:
    decided = engine.commit(ask(1, again, max_tasks=1))
    assert decided.outcomes == [Written(engine.tasks[A].task, None)]
    assert (decided.changes, decided.feeds, decided.tasks) == ([], {}, {})


def test_uuid_deleted_and_taken_again_in_one_group_has_another_place(engine: Engine) -> None:
    decided = engine.commit(ask(1, DeleteTask(A)), ask(2, CreateTask(A, "theirs")))
    kept = decided.tasks[A]
    assert kept is not None
    assert (kept.user_id, kept.place) == (2, 1)
    assert decided.feeds == {1: Feed(2, 0), 2: Feed(1, 1)}


def test_task_that_lives_for_one_group_is_deleted_and_has_its_changes(engine: Engine) -> None:
    decided = engine.commit(ask(1, CreateTask(B, "two")), ask(1, UpdateTask(B)), ask(1, DeleteTask(B)))
    assert decided.tasks == {B: None}
    assert [change.mode for change in decided.changes] == ["create", "update", "delete"]
    assert decided.changes[-1].task is None


@pytest.mark.parametrize(
    "write",
    [lambda now: ask(1, UpdateTask(A), now=now), lambda now: BatchRequest(1, now, 9, [UpdateTask(A)])],
)
def test_time_never_goes_backwards(engine: Engine, write: Callable[[int], Request]) -> None:
    created = engine.tasks[A].task.decode()
    engine.commit(write(NOW - SECOND))
    updated = engine.tasks[A].task.decode()
    assert (updated.rev, updated.time_modified, updated.time_created) == (
        2,
        timestamp(NOW),
        created.time_created,
    )
    engine.commit(write(NOW + SECOND))
    assert engine.tasks[A].task.decode().time_modified == timestamp(NOW + SECOND)


def test_write_id_goes_into_the_change_of_a_request_and_into_none_of_a_batch(engine: Engine) -> None:
    decided = engine.commit(ask(1, UpdateTask(A)), BatchRequest(1, NOW, 99, [UpdateTask(A), DeleteTask(A)]))
    assert [change.write_id for change in decided.changes] == [5, None, None]


def test_named_tasks_are_those_that_operations_name() -> None:
    assert named_tasks(
        [
            ask(1, CreateTask(None, "one")),
            ask(1, CreateTask(A, "one")),
            BatchRequest(
                1, NOW, 99, [DeleteTask(B), RefusedOperation(InvalidRequest("no object")), UpdateTask(C)]
            ),
        ]
    ) == {A, B, C}
