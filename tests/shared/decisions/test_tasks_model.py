"""Groups of writes against a plain model of the rules, which knows of no groups and forgets nothing it should not.

The model does one request after the other, on a copy that replaces the original when all went well.
"""

from __future__ import annotations

import copy
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.clock import timestamp
from shared.decisions.tasks import (
    BatchRequest,
    Feed,
    WriteRequest,
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
    RefusedOperation,
    StoredTask,
    Task,
    UpdateTask,
    Write,
    Written,
)
from tests.shared.decisions.engine_in_memory import (
    GONE,
    NOW,
    SECOND,
    USERS,
    A,
    B,
    C,
    Engine,
    Places,
    Request,
    ask,
)


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
        if isinstance(operation, RefusedOperation):
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
        assert isinstance(operation, (UpdateTask, DeleteTask)), "the rest is as a create"
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


texts = st.sampled_from(["one", "two", "☃"])
uuids = st.sampled_from([A, B, C])
revs = st.none() | st.integers(1, 3)
writes: st.SearchStrategy[Write] = st.one_of(
    st.builds(CreateTask, uuids | st.none(), texts, texts, st.booleans()),
    st.builds(UpdateTask, uuids, st.none() | texts, st.none() | texts, st.none() | st.booleans(), revs),
    st.builds(DeleteTask, uuids, revs),
)
operations: st.SearchStrategy[Operation] = st.one_of(
    *[writes] * 8, st.builds(lambda: RefusedOperation(InvalidRequest("no object")))
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
    refused = BatchRequest(user, NOW, 4, [*doomed, RefusedOperation(InvalidRequest("no object"))])
    first, last = ask(1, CreateTask(A, "before")), ask(1, UpdateTask(A, "after"))
    with_it.commit(first, refused, last)
    without.commit(first, last)
    assert with_it.feeds == without.feeds
    assert with_it.log == without.log
    assert _without_places(with_it) == _without_places(without)


def _without_places(engine: Engine) -> dict[str, tuple[int, StoredTask]]:
    return {uuid: (kept.user_id, kept.task) for uuid, kept in engine.tasks.items()}
