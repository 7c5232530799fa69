"""From answers to the bytes of frames."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from shared.errors import (
    Conflict,
    InvalidRequest,
    LimitReached,
    NotFound,
    Throttled,
    Unavailable,
    ValidationFailed,
)
from shared.models import Change, ChangePage, Mode, StoredTask, Task, TaskPage, Written
from shared.wire import change_frame, replayed_frame
from ws_server import answers
from ws_server.requests import Envelope

UUID: Final = "16f894b8-cb89-4672-9561-0b80cc75ae1b"
TIME: Final = "2026-11-22T11:57:25.175297Z"
TASK: Final = Task(UUID, 1, TIME, TIME, "Buy milk", "2 litres", completed=False, rev=1)
TASK_JSON: Final = (
    f'{{"uuid":"{UUID}","user_id":1,"time_created":"{TIME}","time_modified":"{TIME}",'
    '"task":"Buy milk","description":"2 litres","completed":false,"rev":1}'
)
STORED: Final = StoredTask(UUID, TASK_JSON.encode())


def _change(mode: Mode, seq: int = 3) -> Change:
    return Change(1, seq, mode, UUID, None if mode == "delete" else STORED.json, write_id=5)


@pytest.mark.parametrize("mode", ["create", "update"])
def test_a_change(mode: Mode) -> None:
    assert change_frame(_change(mode)).decode() == (
        f'{{"type":"task.update","mode":"{mode}","task":{TASK_JSON},"task_id":"{UUID}","seq":3}}'
    )


def test_a_deletion() -> None:
    assert change_frame(_change("delete")).decode() == (
        f'{{"type":"task.update","mode":"delete","task":{{"message":"Task deleted!"}},"task_id":"{UUID}","seq":3}}'
    )


def test_a_replay_has_no_seq() -> None:
    assert replayed_frame(STORED).decode() == (
        f'{{"type":"task.update","mode":"create","task":{TASK_JSON},"task_id":"{UUID}","replayed":true}}'
    )


def test_a_read() -> None:
    assert answers.read_frame(STORED).decode() == (
        f'{{"type":"task.update","mode":"read","task":{TASK_JSON},"task_id":"{UUID}"}}'
    )


def test_a_list() -> None:
    page = TaskPage(f"[{TASK_JSON},{TASK_JSON}]".encode(), 9, 12)
    plain = f'{{"type":"task.update","mode":"all","task":[{TASK_JSON},{TASK_JSON}],"seq":12'
    assert answers.all_frame(page, paged=False).decode() == plain + "}"
    assert answers.all_frame(page, paged=True).decode() == plain + ',"count":9}'
    assert answers.all_frame(TaskPage(b"[]", 0, 0), paged=False) == (
        b'{"type":"task.update","mode":"all","task":[],"seq":0}'
    )


def test_a_batch_is_a_list_of_task_frames() -> None:
    changes = [_change("create"), None, _change("delete", 4)]
    frame = json.loads(answers.batch_frame([Written(STORED, change) for change in changes]))
    assert list(frame) == ["type", "results"]
    assert frame["type"] == "batch"
    expected = [change_frame(_change("create")), replayed_frame(STORED), change_frame(_change("delete", 4))]
    assert frame["results"] == [json.loads(text) for text in expected]


def test_a_sync_that_recovered() -> None:
    page = ChangePage([_change("update"), _change("delete", 4)], 4, more=True)
    assert answers.sync_frame(page, "e").decode() == (
        '{"type":"sync","recovered":true,"changes":['
        f'{{"seq":3,"mode":"update","task_id":"{UUID}","task":{TASK_JSON}}},'
        f'{{"seq":4,"mode":"delete","task_id":"{UUID}","task":null}}],"seq":4,"more":true}}'
    )
    assert answers.sync_frame(ChangePage([], 7, more=False), "e") == (
        b'{"type":"sync","recovered":true,"changes":[],"seq":7,"more":false}'
    )


@pytest.mark.parametrize("reason", ["epoch_changed", "seq_unknown", "history_gone"])
def test_a_sync_that_did_not(reason: Any) -> None:
    assert answers.sync_frame(ChangePage([], 7, more=False, reason=reason), "e").decode() == (
        f'{{"type":"sync","recovered":false,"reason":"{reason}","epoch":"e","seq":7}}'
    )


def test_the_session_frames() -> None:
    assert answers.auth_frame(1, 1_800_000_000, "e", 5) == (
        b'{"type":"auth","message":"Authentication successful","user_id":1,'
        b'"expires":"2027-01-15T08:00:00.000000Z","epoch":"e","seq":5}'
    )
    assert answers.expiring_frame(60) == b'{"type":"auth.expiring","in":60}'
    assert answers.pong_frame(0) == b'{"type":"pong","seq":0}'


ERRORS: Final = [
    (InvalidRequest("x", key="k"), "invalid_request", "Invalid JSON DATA", {"detail": "k: x"}),
    (ValidationFailed({"task": ["x"]}), "validation", None, {"errors": {"task": ["x"]}}),
    (NotFound(), "not_found", "Task not Found!", {}),
    (Conflict(TASK), "conflict", None, {"task": json.loads(TASK_JSON)}),
    (LimitReached(5), "limit_reached", None, {"limit": 5}),
    (Throttled(0.25), "rate_limited", None, {"retry_after": 0.25}),
    (Unavailable("a secret reason"), "unavailable", None, {"retry_after": 2}),
]


@pytest.mark.parametrize(("error", "code", "message", "extra"), ERRORS, ids=lambda value: str(value)[:20])
def test_an_error_has_its_own_keys_between_the_common_ones(
    error: Any, code: str, message: str | None, extra: dict[str, object]
) -> None:
    frame = json.loads(answers.error_frame(error, Envelope(b'"i"', "update", "t")))
    assert list(frame) == ["type", "message", "code", "mode", "task_id", *extra, "id"]
    assert frame == {
        "type": "error",
        "message": message or frame["message"],
        "code": code,
        "mode": "update",
        "task_id": "t",
        **extra,
        "id": "i",
    }
    assert "secret" not in str(frame)


def test_an_error_omits_the_keys_that_the_request_did_not_have() -> None:
    assert answers.error_frame(NotFound(), Envelope()) == (
        b'{"type":"error","message":"Task not Found!","code":"not_found"}'
    )
    frame = answers.failure_frame("internal", "m", Envelope(mode="all"), ref="r")
    assert frame == b'{"type":"error","message":"m","code":"internal","mode":"all","ref":"r"}'


def test_with_id_appends_it() -> None:
    assert answers.with_id(b'{"type":"pong","seq":0}', b"") == b'{"type":"pong","seq":0}'
    assert answers.with_id(b'{"type":"pong","seq":0}', b'"x"') == b'{"type":"pong","seq":0,"id":"x"}'
