"""What frames make of the copy, without a connection."""

from __future__ import annotations

from typing import Any

import pytest

from taskbeam_client import ObserverTooSlow
from taskbeam_client.state import State


def auth(seq: int, epoch: str = "one") -> dict[str, Any]:
    return {"type": "auth", "user_id": 1, "epoch": epoch, "seq": seq}


def task(number: int) -> dict[str, Any]:
    time = f"2026-01-01T00:00:00.{number:06d}Z"
    return {
        "uuid": f"uuid-{number}",
        "user_id": 1,
        "time_created": time,
        "time_modified": time,
        "task": "A task",
        "description": "",
        "completed": False,
        "rev": 1,
        "a key of the future": None,
    }


def push(seq: int) -> dict[str, Any]:
    return {
        "type": "task.update",
        "mode": "create",
        "task": task(seq),
        "task_id": f"uuid-{seq}",
        "seq": seq,
    }


def everything(seq: int) -> dict[str, Any]:
    tasks = [task(number) for number in range(1, seq + 1)]
    return {"type": "task.update", "mode": "all", "task": tasks, "seq": seq}


def page(seqs: list[int], *, more: bool) -> dict[str, Any]:
    changes = [{"seq": seq, "mode": "create", "task_id": f"uuid-{seq}", "task": task(seq)} for seq in seqs]
    return {"type": "sync", "recovered": True, "changes": changes, "seq": seqs[-1], "more": more}


def heard(*frames: dict[str, Any]) -> State:
    state = State(10)
    for frame in frames:
        state.on_frame(frame)
    return state


def test_pushes_before_the_first_snapshot_are_in_it() -> None:
    state = heard(auth(0), push(1), push(2), everything(2), push(3))
    assert (state.replica.seq, len(state.replica.tasks)) == (3, 3)
    assert (state.statistics.gaps, state.statistics.duplicates, state.behind) == (0, 0, False)


def test_pushes_of_another_history_are_not_mixed_in() -> None:
    """The seq fits by chance."""
    state = heard(auth(2), everything(2), auth(2, "two"))
    state.on_frame(push(3))
    assert (state.replica.epoch, state.replica.seq) == ("one", 2)
    state.on_frame(everything(4))
    assert (state.replica.epoch, state.replica.seq) == ("two", 4)


def test_pushes_between_pages_are_in_the_next_one() -> None:
    state = heard(auth(0), everything(0))
    state.behind = True
    for frame in (page([1, 2], more=True), push(5), page([3, 4, 5], more=False), push(6)):
        state.on_frame(frame)
    assert (state.replica.seq, state.behind) == (6, False)
    assert (state.statistics.gaps, state.statistics.duplicates) == (0, 0)


def test_pushes_right_after_a_reconnect_are_no_gap() -> None:
    """The answer to auth tells that changes are missing, before whoever asked for it goes on."""
    state = heard(auth(1), everything(1), auth(3), push(4), page([2, 3, 4], more=False), auth(4), push(5))
    assert (state.replica.seq, state.behind, state.statistics.gaps) == (5, False, 0)


def test_a_gap_asks_for_what_is_missing() -> None:
    state = heard(auth(1), everything(1), push(3), push(4))
    assert (state.replica.seq, state.behind, state.news.is_set()) == (1, True, True)
    assert state.statistics.gaps == 1
    state.on_frame(page([2, 3, 4], more=False))
    assert (state.replica.seq, state.behind) == (4, False)


def test_a_duplicate_is_counted_and_dropped() -> None:
    state = heard(auth(1), everything(1), push(1))
    assert (state.replica.seq, state.statistics.duplicates) == (1, 1)


async def test_a_reader_that_is_too_slow_gets_an_error() -> None:
    state = heard(auth(0), everything(0))
    stream = state.watch(2)
    for seq in (1, 2, 3):
        state.on_frame(push(seq))
    with pytest.raises(ObserverTooSlow):
        await anext(stream)
