"""A user's tasks and changes against a plain dict, under operations that Hypothesis thinks of."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import ClassVar

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from shared.clock import timestamp
from shared.errors import Conflict, LimitReached, NotFound, TaskbeamError
from shared.models import Change, CreateTask, DeleteTask, Operation, Task, TaskQuery, UpdateTask, Written
from shared.store import Store
from tests.shared.store.engine import Engine
from tests.shared.store.owner import NOW, SECOND, Owner, listed, new_owner, task_json

LIMIT = 4

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)
# Few, so that operations meet the same tasks; the store sees them as uuids of the user's own.
slots = st.integers(0, 5)
revs = st.none() | st.integers(1, 3)
fields = st.fixed_dictionaries(
    {}, optional={"task": texts, "description": st.just("") | texts, "completed": st.booleans()}
)
Step = tuple[str, int, int | None, dict[str, object]]
steps: st.SearchStrategy[Step] = st.one_of(
    st.tuples(st.just("create"), slots, st.none(), st.fixed_dictionaries({"task": texts})),
    st.tuples(st.just("update"), slots, revs, fields),
    st.tuples(st.just("delete"), slots, revs, st.just({})),
)


class Model:
    """What the contract says a user's tasks and changes are."""

    def __init__(self, user_id: int) -> None:
        self.user_id = user_id
        self.tasks: dict[str, Task] = {}
        self.log: list[tuple[str, str, Task | None]] = []

    def copy(self) -> Model:
        twin = Model(self.user_id)
        twin.tasks, twin.log = dict(self.tasks), list(self.log)
        return twin

    def do(self, operation: Operation, now: int) -> type[TaskbeamError] | Task:
        """The task that the operation answers with, or the error."""
        assert isinstance(operation, (CreateTask, UpdateTask, DeleteTask))
        uuid, time = operation.uuid, timestamp(now)
        assert uuid is not None
        if isinstance(operation, CreateTask):
            if uuid in self.tasks:
                return self.tasks[uuid]
            if len(self.tasks) >= LIMIT:
                return LimitReached
            task = Task(
                uuid,
                self.user_id,
                time,
                time,
                operation.task,
                operation.description,
                operation.completed,
                rev=1,
            )
            self.log.append(("create", uuid, task))
            self.tasks[uuid] = task
            return task
        if uuid not in self.tasks:
            return NotFound
        old = self.tasks[uuid]
        if operation.rev not in (None, old.rev):
            return Conflict
        if isinstance(operation, DeleteTask):
            self.log.append(("delete", uuid, None))
            return self.tasks.pop(uuid)
        task = Task(
            uuid,
            self.user_id,
            old.time_created,
            time,
            old.task if operation.task is None else operation.task,
            old.description if operation.description is None else operation.description,
            old.completed if operation.completed is None else operation.completed,
            old.rev + 1,
        )
        self.log.append(("update", uuid, task))
        self.tasks[uuid] = task
        return task


class TasksOfOneUser(RuleBasedStateMachine):
    """Each run has a user of its own in one store."""

    runner: ClassVar[asyncio.Runner]
    store: ClassVar[Store]

    def __init__(self) -> None:
        super().__init__()
        self.owner: Owner = self.runner.run(new_owner(self.store))
        self.model = Model(self.owner.id)
        self.now = NOW

    def operation(self, step: Step) -> Operation:
        mode, slot, rev, given = step
        uuid = f"{self.owner.id:08x}-0000-4000-8000-{slot:012x}"
        if mode == "create":
            return CreateTask(uuid, str(given["task"]))
        if mode == "update":
            return UpdateTask(uuid, rev=rev, **given)  # type: ignore[arg-type]
        return DeleteTask(uuid, rev)

    def write(self, operations: list[Operation]) -> list[Written]:
        return self.runner.run(self.owner.write(*operations, now=self.now, max_tasks=LIMIT))

    @rule(steps=st.lists(steps, min_size=1, max_size=5))
    def write_operations(self, steps: list[Step]) -> None:
        operations = [self.operation(step) for step in steps]
        after, answers = self.model.copy(), list[Task]()
        for index, operation in enumerate(operations):
            answer = after.do(operation, self.now)
            if isinstance(answer, Task):
                answers.append(answer)
                continue
            with pytest.raises(answer) as failed:
                self.write(operations)
            assert failed.value.extra.get("op", 0) == index
            return
        written = self.write(operations)
        assert [result.task.decode() for result in written] == answers
        changes = [result.change for result in written if result.change is not None]
        self.check_changes(changes, after.log[len(self.model.log) :], len(self.model.log) + 1)
        self.model = after

    @rule(seconds=st.integers(1, 5))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds * SECOND

    @invariant()
    def tasks_are_those_of_the_model(self) -> None:
        page = self.runner.run(self.owner.store.tasks(self.owner.id, TaskQuery()))
        assert {task.uuid: task for task in listed(page)} == self.model.tasks
        assert (page.count, page.seq) == (len(self.model.tasks), len(self.model.log))

    @invariant()
    def log_is_that_of_the_model(self) -> None:
        self.check_changes(self.runner.run(self.owner.log()), self.model.log, 1)

    def check_changes(
        self, changes: list[Change], expected: list[tuple[str, str, Task | None]], seq: int
    ) -> None:
        assert [(change.seq, change.mode, change.task_id, change.task) for change in changes] == [
            (seq + index, mode, uuid, None if task is None else task_json(task))
            for index, (mode, uuid, task) in enumerate(expected)
        ]


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


def test_any_sequence_of_operations_does_as_the_model(runner: asyncio.Runner, engine: Engine) -> None:
    stack = AsyncExitStack()
    opened = runner.run(stack.enter_async_context(engine.open()))
    machine = type("Machine", (TasksOfOneUser,), {"runner": runner, "store": opened})
    try:
        run_state_machine_as_test(
            machine,
            settings=hypothesis_settings(
                max_examples=40,
                stateful_step_count=25,
                deadline=None,
                derandomize=True,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        runner.run(stack.aclose())
