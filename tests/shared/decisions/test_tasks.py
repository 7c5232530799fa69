"""Groups of writes against a plain model of the rules, which knows of no groups and forgets nothing it should not."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.clock import timestamp
from shared.decisions.tasks import (
    BatchRequest,
    Decided,
    Feed,
    Kept,
    Outcome,
    WriteRequest,
    decide,
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
    Change,
    CreateTask,
    DeleteTask,
    Operation,
    Refused,
    StoredTask,
    Task,
    UpdateTask,
    Write,
    Written,
)

Request = WriteRequest | BatchRequest

SECOND = 1_000_000
NOW = 1_700_000_000 * SECOND
A, B, C = (f"{letter * 8}-0000-4000-8000-000000000000" for letter in "abc")
USERS = (1, 2, 3)
GONE = 9


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


# The model: one request after the other, on a copy that replaces the original when all went well.


class State:
    """All tasks, all users' logs, and how many names were given."""

    def __init__(self) -> None:
        self.tasks: dict[str, Task] = {}
        self.log: list[Change] = []

    def seq(self, user_id: int) -> int:
        return sum(change.user_id == user_id for change in self.log)

    def count(self, user_id: int) -> int:
        return sum(task.user_id == user_id for task in self.tasks.values())

    def of(self, user_id: int, uuid: str, rev: int | None) -> Task:
        task = self.tasks.get(uuid)
        if task is None or task.user_id != user_id:
            raise NotFound
        if rev not in (None, task.rev):
            raise Conflict(task)
        return task


class Model:
    def __init__(self) -> None:
        self.state = State()
        self.places = Places()

    def answer(self, request: Request) -> object:
        before = self.state
        self.state = copy.deepcopy(before)
        try:
            if isinstance(request, WriteRequest):
                return self._do(request, request.operation, request.write_id)
            return [self._do_one(request, index, before) for index in range(len(request.operations))]
        except TaskbeamError as refusal:
            self.state = before
            return refusal

    def _do_one(self, request: BatchRequest, index: int, before: State) -> Written:
        operation = request.operations[index]
        try:
            return self._do(request, operation, None)
        except TaskbeamError as refusal:
            refusal.extra["op"] = index
            if isinstance(refusal, Conflict):
                assert isinstance(operation, (UpdateTask, DeleteTask))
                refusal.extra["task"] = before.tasks.get(operation.uuid)
            raise

    def _do(self, request: Request, operation: Operation, write_id: int | None) -> Written:
        state, user_id, time = self.state, request.user_id, timestamp(request.now)
        if isinstance(operation, Refused):
            raise operation.error
        if isinstance(operation, CreateTask):
            if operation.uuid in state.tasks:
                task = state.tasks[operation.uuid]
                if task.user_id != user_id:
                    raise ValidationFailed({"uuid": ["This field must be unique."]})
                return Written(_stored(task), None)
            if user_id not in USERS:
                raise UserGone
            if state.count(user_id) >= request.max_tasks:
                raise LimitReached(request.max_tasks)
            uuid, _ = self.places(request.now, operation.uuid)
            task = Task(
                uuid, user_id, time, time, operation.task, operation.description, operation.completed, 1
            )
            return self._note("create", task, write_id)
        old = state.of(user_id, operation.uuid, operation.rev)
        if isinstance(operation, DeleteTask):
            return self._note("delete", old, write_id)
        said = {
            field: value
            for field in ("task", "description", "completed")
            if (value := getattr(operation, field)) is not None
        }
        modified = max(time, old.time_modified)
        new = msgspec.structs.replace(old, **said, time_modified=modified, rev=old.rev + 1)
        return self._note("update", new, write_id)

    def _note(self, mode: Any, task: Task, write_id: int | None) -> Written:
        state, stored = self.state, _stored(task)
        json = None if mode == "delete" else stored.json
        change = Change(task.user_id, state.seq(task.user_id) + 1, mode, task.uuid, json, write_id)
        state.log.append(change)
        if mode == "delete":
            del state.tasks[task.uuid]
        else:
            state.tasks[task.uuid] = task
        return Written(stored, change)


def _stored(task: Task) -> StoredTask:
    return StoredTask(task.uuid, msgspec.json.encode(task))


def _comparable(outcome: object) -> object:
    if isinstance(outcome, TaskbeamError):
        return type(outcome), outcome.message, outcome.extra
    return outcome


# Any groups at all

texts = st.sampled_from(["one", "two", "☃"])
uuids = st.sampled_from([A, B, C])
revs = st.none() | st.integers(1, 3)
writes: st.SearchStrategy[Write] = st.one_of(
    st.builds(CreateTask, uuids | st.none(), texts, texts, st.booleans()),
    st.builds(UpdateTask, uuids, st.none() | texts, st.none() | texts, st.none() | st.booleans(), revs),
    st.builds(DeleteTask, uuids, revs),
)
operations: st.SearchStrategy[Operation] = st.one_of(
    *[writes] * 8, st.builds(lambda: Refused(InvalidRequest("no object")))
)
users = st.sampled_from([*USERS * 3, GONE])
times = st.integers(-2, 2).map(lambda seconds: NOW + seconds * SECOND)
limits = st.integers(0, 4)
requests: st.SearchStrategy[Request] = st.one_of(
    st.builds(WriteRequest, users, times, limits, st.none() | st.integers(0, 99), writes),
    st.builds(BatchRequest, users, times, limits, st.lists(operations, max_size=6)),
)
groups = st.lists(st.lists(requests, max_size=8), max_size=4)


@settings(deadline=None, max_examples=300)
@given(groups)
def test_groups_come_to_what_their_requests_come_to_one_by_one(groups: list[list[Request]]) -> None:
    engine, model = Engine(), Model()
    for group in groups:
        decided = engine.commit(*copy.deepcopy(group))
        assert [_comparable(outcome) for outcome in decided.outcomes] == [
            _comparable(model.answer(request)) for request in copy.deepcopy(group)
        ]
        assert engine.log == model.state.log
        assert {uuid: kept.task.decode() for uuid, kept in engine.tasks.items()} == model.state.tasks
        for user_id in USERS:
            assert engine.feeds[user_id] == Feed(model.state.seq(user_id), model.state.count(user_id))


@settings(deadline=None)
@given(groups)
def test_seqs_are_gapless_and_a_place_stays_with_its_task(groups: list[list[Request]]) -> None:
    engine = Engine()
    for group in groups:
        decided = engine.commit(*copy.deepcopy(group))
        written = {change.user_id for change in decided.changes}
        assert decided.feeds.keys() == written, "only those of whom there is something to write"
        assert decided.tasks.keys() == {change.task_id for change in decided.changes}
    for user_id in USERS:
        seqs = [change.seq for change in engine.log if change.user_id == user_id]
        assert seqs == list(range(1, len(seqs) + 1))
    for uuid, kept in engine.tasks.items():
        newest = max(number for number, named in engine.places.given.items() if named == uuid)
        assert (kept.task.uuid, kept.place) == (uuid, newest)
        assert kept.user_id == kept.task.decode().user_id


@settings(deadline=None)
@given(groups, st.lists(writes, max_size=4), users)
def test_a_refused_batch_leaves_no_trace(groups: list[list[Request]], doomed: list[Write], user: int) -> None:
    with_it, without = Engine(), Engine()
    for group in groups:
        with_it.commit(*group)
        without.commit(*group)
    refused = BatchRequest(user, NOW, 4, [*doomed, Refused(InvalidRequest("no object"))])
    first, last = _ask(1, CreateTask(A, "before")), _ask(1, UpdateTask(A, "after"))
    with_it.commit(first, refused, last)
    without.commit(first, last)
    assert with_it.feeds == without.feeds
    assert with_it.log == without.log
    assert _without_places(with_it) == _without_places(without)


def _without_places(engine: Engine) -> dict[str, tuple[int, StoredTask]]:
    return {uuid: (kept.user_id, kept.task) for uuid, kept in engine.tasks.items()}


# The rules one by one, each after "one" was created as A by user 1.


def _error(outcome: Outcome) -> TaskbeamError:
    assert isinstance(outcome, TaskbeamError)
    return outcome


def _task(outcome: Outcome) -> Task:
    assert isinstance(outcome, Written)
    return outcome.task.decode()


def _ask(user_id: int, operation: Write, *, now: int = NOW, max_tasks: int = 99) -> WriteRequest:
    return WriteRequest(user_id, now, max_tasks, 5, operation)


@pytest.fixture
def engine() -> Engine:
    engine = Engine()
    engine.commit(_ask(1, CreateTask(A, "one")))
    return engine


@pytest.mark.parametrize(
    ("request_", "error", "extra"),
    [
        (_ask(1, UpdateTask(B)), NotFound, {}),
        (_ask(2, UpdateTask(A)), NotFound, {}),
        (_ask(2, DeleteTask(A)), NotFound, {}),
        (
            _ask(2, CreateTask(A, "two")),
            ValidationFailed,
            {"errors": {"uuid": ["This field must be unique."]}},
        ),
        (_ask(1, CreateTask(B, "two"), max_tasks=1), LimitReached, {"limit": 1}),
        (_ask(GONE, CreateTask(B, "two")), UserGone, {}),
        (_ask(GONE, DeleteTask(A)), NotFound, {}),
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


@pytest.mark.parametrize("operation", [UpdateTask(A, "two", rev=2), DeleteTask(A, rev=2)])
def test_conflict_shows_the_task_as_it_is(engine: Engine, operation: Write) -> None:
    refusal = _error(engine.commit(_ask(1, operation)).outcomes[0])
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
    refused = Refused(InvalidRequest("no object"))
    first = engine.commit(BatchRequest(1, NOW, 99, [DeleteTask(B), refused])).outcomes[0]
    later = engine.commit(BatchRequest(1, NOW, 99, [DeleteTask(A), refused])).outcomes[0]
    assert (type(first), _error(first).extra["op"]) == (NotFound, 0)
    assert (type(later), _error(later).extra["op"]) == (InvalidRequest, 1)


@pytest.mark.parametrize("again", [CreateTask(A, "another text"), CreateTask(A, "one")])
def test_create_with_a_uuid_that_the_user_has_answers_with_that_task(
    engine: Engine, again: CreateTask
) -> None:
    decided = engine.commit(_ask(1, again, max_tasks=1))
    assert decided.outcomes == [Written(engine.tasks[A].task, None)]
    assert (decided.changes, decided.feeds, decided.tasks) == ([], {}, {})


def test_uuid_deleted_and_taken_again_in_one_group_has_another_place(engine: Engine) -> None:
    decided = engine.commit(_ask(1, DeleteTask(A)), _ask(2, CreateTask(A, "theirs")))
    kept = decided.tasks[A]
    assert kept is not None
    assert (kept.user_id, kept.place) == (2, 1)
    assert decided.feeds == {1: Feed(2, 0), 2: Feed(1, 1)}


def test_task_that_lives_for_one_group_is_deleted_and_has_its_changes(engine: Engine) -> None:
    decided = engine.commit(_ask(1, CreateTask(B, "two")), _ask(1, UpdateTask(B)), _ask(1, DeleteTask(B)))
    assert decided.tasks == {B: None}
    assert [change.mode for change in decided.changes] == ["create", "update", "delete"]
    assert decided.changes[-1].task is None


@pytest.mark.parametrize(
    "write",
    [lambda now: _ask(1, UpdateTask(A), now=now), lambda now: BatchRequest(1, now, 9, [UpdateTask(A)])],
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
    decided = engine.commit(_ask(1, UpdateTask(A)), BatchRequest(1, NOW, 99, [UpdateTask(A), DeleteTask(A)]))
    assert [change.write_id for change in decided.changes] == [5, None, None]


def test_named_tasks_are_those_that_operations_name() -> None:
    assert named_tasks(
        [
            _ask(1, CreateTask(None, "one")),
            _ask(1, CreateTask(A, "one")),
            BatchRequest(1, NOW, 99, [DeleteTask(B), Refused(InvalidRequest("no object")), UpdateTask(C)]),
        ]
    ) == {A, B, C}
