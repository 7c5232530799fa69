"""The local copy, without a server."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taskbeam_client.models import Change, Snapshot, Task
from taskbeam_client.replica import OutOfOrder, Replica


def a_task(number: int, *, rev: int = 1, text: str = "A task", time: int | None = None) -> Task:
    created = f"2026-01-01T00:00:00.{number if time is None else time:06d}Z"
    return Task(f"uuid-{number}", 1, created, created, text, "", False, rev)


@st.composite
def logs(draw: st.DrawFn) -> list[Change]:
    """A user's log from seq 1, as a server writes it; clocks of creates may run backwards."""
    changes: list[Change] = []
    alive: dict[str, Task] = {}
    for seq in range(1, draw(st.integers(0, 12)) + 1):
        mode = draw(st.sampled_from(["create", "update", "delete"])) if alive else "create"
        if mode == "create":
            task = a_task(seq, time=draw(st.integers(0, 999)))
            alive[task.uuid] = task
            changes.append(Change(seq, mode, task.uuid, task))
            continue
        old = alive.pop(draw(st.sampled_from(sorted(alive))))
        if mode == "delete":
            changes.append(Change(seq, mode, old.uuid, None))
        else:
            new = Task(
                old.uuid,
                1,
                old.time_created,
                old.time_modified,
                draw(st.text(max_size=3)),
                "",
                True,
                old.rev + 1,
            )
            alive[new.uuid] = new
            changes.append(Change(seq, mode, new.uuid, new))
    return changes


def state_at(log: list[Change], seq: int) -> tuple[Task, ...]:
    """What `all` answers at ``seq``: by time of creation, then by the order of the log."""
    tasks: dict[str, Task] = {}
    for change in log[:seq]:
        if change.task is None:
            del tasks[change.task_id]
        else:
            tasks[change.task_id] = change.task
    created = {change.task_id: change.seq for change in log if change.mode == "create"}
    return tuple(sorted(tasks.values(), key=lambda task: (task.time_created, created[task.uuid])))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(logs(), st.data())
def test_a_copy_equals_the_state_wherever_it_began(log: list[Change], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(log)))
    replica = Replica()
    replica.load(Snapshot("epoch", start, state_at(log, start)))
    for change in log[start:]:
        replica.apply(change)
        assert replica.snapshot() == Snapshot("epoch", change.seq, state_at(log, change.seq))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(logs(), st.data())
def test_only_the_next_change_is_taken(log: list[Change], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(log)))
    replica = Replica()
    replica.load(Snapshot("epoch", at, state_at(log, at)))
    before = replica.snapshot()
    for change in log:
        if change.seq != at + 1:
            with pytest.raises(OutOfOrder):
                replica.apply(change)
    assert replica.snapshot() == before


def test_no_change_is_taken_before_a_snapshot() -> None:
    with pytest.raises(OutOfOrder):
        Replica().apply(Change(1, "create", "uuid-1", a_task(1)))


def test_apply_returns_what_was_there() -> None:
    replica = Replica()
    replica.load(Snapshot("epoch", 7, (a_task(1),)))
    assert replica.apply(Change(8, "update", "uuid-1", a_task(1, rev=2))) == a_task(1)
    assert replica.apply(Change(9, "delete", "uuid-1", None)) == a_task(1, rev=2)
    assert replica.apply(Change(10, "create", "uuid-2", a_task(2))) is None


def test_the_view_stays_valid_over_a_snapshot() -> None:
    replica = Replica()
    view = replica.tasks
    replica.load(Snapshot("epoch", 1, (a_task(1),)))
    assert list(view) == ["uuid-1"]
    replica.load(Snapshot("other", 1, (a_task(2), a_task(3))))
    assert list(view) == ["uuid-2", "uuid-3"]
