"""The checker finds each damage to a history."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import pytest

from taskbeam_client import Change, Snapshot, Task
from tests.model.history import Attempt, Device, History, fold, problems


def new_task(number: int, rev: int, text: str) -> Task:
    time = f"2026-01-01T00:00:00.{number:06d}Z"
    return Task(f"uuid-{number}", 1, time, time, "A task", text, False, rev)


LOG = [
    Change(1, "create", "uuid-1", new_task(1, 1, "m1")),
    Change(2, "create", "uuid-2", new_task(2, 1, "m2")),
    Change(3, "update", "uuid-1", new_task(1, 2, "m3")),
    Change(4, "delete", "uuid-2", None),
    Change(5, "create", "uuid-3", new_task(3, 1, "m5")),
]


def valid_history() -> History:
    tasks = fold(LOG)
    attempts = [
        Attempt("create", "uuid-1", "m1", "done"),
        Attempt("create", "uuid-2", "m2", "done"),
        Attempt("update", "uuid-1", "m3", "done", rev=1),
        Attempt("update", "uuid-1", "m4", "refused"),
        Attempt("delete", "uuid-2", "", "done", rev=1),
        Attempt("create", "uuid-3", "m5", "unknown"),
        Attempt("create", "uuid-4", "m6", "unknown"),
    ]
    devices = [
        Device("phone", [Snapshot("e", 0, ()), *LOG], 5, tasks),
        Device("laptop", [Snapshot("e", 3, tuple(fold(LOG[:3]))), *LOG[3:]], 5, tasks),
        Device("dead", [Snapshot("e", 0, ()), *LOG[:2]]),
    ]
    return History(list(LOG), devices, attempts, [attempts[:2]], 5, list(tasks), list(tasks))


def test_valid_history_has_no_problems() -> None:
    assert problems(valid_history()) == []


def _lose(history: History) -> None:
    del history.devices[0].events[3]


def _double(history: History) -> None:
    history.devices[0].events.insert(3, history.devices[0].events[3])


def _swap(history: History) -> None:
    events = history.devices[0].events
    events[2], events[3] = events[3], events[2]


def _miss_the_last(history: History) -> None:
    del history.devices[1].events[-1]


def _tell_another_change(history: History) -> None:
    history.devices[0].events[1] = replace(LOG[0], task=new_task(1, 1, "another"))


def _tell_another_state(history: History) -> None:
    history.devices[1].events[0] = Snapshot("e", 3, tuple(fold(LOG[:2])))


def _begin_again(history: History) -> None:
    history.devices[0].events.append(Snapshot("e", 5, tuple(fold(LOG))))


def _keep_a_deleted_task(history: History) -> None:
    history.devices[0].tasks = [*fold(LOG), new_task(2, 1, "m2")]


def _turn_a_copy_around(history: History) -> None:
    history.devices[0].tasks = fold(LOG)[::-1]


def _lose_an_acknowledged_write(history: History) -> None:
    history.attempts[-1].outcome = "done"


def _do_a_refused_write(history: History) -> None:
    history.attempts[2].outcome = "refused"


def _do_a_write_twice(history: History) -> None:
    history.log[4] = Change(5, "update", "uuid-1", new_task(1, 3, "m3"))
    history.devices.clear()
    history.over_rest = history.over_websocket = fold(history.log)


def _do_a_write_to_another_revision(history: History) -> None:
    history.attempts[2].rev = 2


def _delete_another_revision(history: History) -> None:
    history.attempts[4].rev = 2


def _tear_a_batch(history: History) -> None:
    history.batches.append([history.attempts[0], history.attempts[2]])


def _lose_half_a_batch(history: History) -> None:
    history.batches.append([history.attempts[5], history.attempts[6]])


def _skip_a_seq(history: History) -> None:
    del history.log[2]


def _skip_a_revision(history: History) -> None:
    history.log[2] = replace(LOG[2], task=new_task(1, 3, "m3"))


def _answer_otherwise_over_rest(history: History) -> None:
    history.over_rest.pop()


def _answer_otherwise_over_websocket(history: History) -> None:
    history.over_websocket.reverse()


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (_lose, "phone: saw 4 after 2"),
        (_double, "phone: saw 3 after 3"),
        (_swap, "phone: saw 3 after 1"),
        (_miss_the_last, "laptop: its copy is at 5, its stream at 4"),
        (_tell_another_change, "phone: what it saw at 1 is not in the log"),
        (_tell_another_state, "laptop: its snapshot is not the state at 3"),
        (_begin_again, "phone: a second snapshot"),
        (_keep_a_deleted_task, "phone: its copy is not what the log says: 1 differ"),
        (_turn_a_copy_around, "phone: its copy is not what the log says: the order"),
        (_lose_an_acknowledged_write, "'m6', outcome='done', rev=None) is in the log 0 times"),
        (_do_a_refused_write, "'m3', outcome='refused', rev=1) is in the log 1 times"),
        (_do_a_write_twice, "'m3', outcome='done', rev=1) is in the log 2 times"),
        (_do_a_write_to_another_revision, "rev=2) was done to revision 1"),
        (_delete_another_revision, "rev=2) was done to revision 1"),
        (_tear_a_batch, "in pieces: [1, 3]"),
        (_lose_half_a_batch, "in pieces: [5, 0]"),
        (_skip_a_seq, "at place 3 there is 4"),
        (_skip_a_revision, "revision 3 after 1"),
        (_answer_otherwise_over_rest, "the tasks over REST"),
        (_answer_otherwise_over_websocket, "the tasks over WebSocket"),
    ],
)
def test_each_damage_is_found(damage: Callable[[History], None], found: str) -> None:
    history = deepcopy(valid_history())
    damage(history)
    assert any(found in problem for problem in problems(history)), problems(history)
