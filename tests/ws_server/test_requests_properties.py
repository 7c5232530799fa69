"""What holds for any text and any task."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.models import Change, ChangePage, StoredTask, Task, TaskPage, Written
from shared.strict_json import MalformedJSON
from shared.wire import change_frame, replayed_frame
from ws_server import answers
from ws_server.requests import BadRequest, Envelope, Request, parse

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.uuids().map(str)
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=6,
)
modes = st.sampled_from(["all", "create", "read", "update", "delete", "batch", "sync", "ping", "auth"])
keys = st.sampled_from(
    [
        "id",
        "data",
        "task_id",
        "rev",
        "ops",
        "epoch",
        "since",
        "limit",
        "offset",
        "ordering",
        "completed",
        "search",
    ]
)
fields = st.sampled_from(["task", "description", "completed", "uuid"])
operations = st.fixed_dictionaries(
    {"mode": modes | documents},
    optional={
        "task_id": st.uuids().map(str) | documents,
        "data": st.dictionaries(fields, documents) | documents,
        "rev": documents,
    },
)
requests = st.builds(
    lambda mode, rest, kind: {**rest, "mode": mode, **kind},
    modes | documents,
    st.dictionaries(
        keys | st.text(),
        documents | st.dictionaries(fields, documents) | st.lists(operations, max_size=3),
        max_size=5,
    ),
    st.sampled_from([{}, {"type": "auth"}, {"type": "auth", "token": "x"}, {"type": "task"}]),
)
# Half of the text that a client can send: no lone surrogates, which a text frame cannot carry.
sendable = st.text(st.characters(exclude_categories=["Cs"]))
request_ids = st.text(st.characters(exclude_categories=["Cs"]), max_size=64) | st.integers(
    -(2**63), 2**63 - 1
)


def _parse(text: str) -> Request | None:
    """Anything but the two errors that parse() may raise fails the test."""
    try:
        return parse(text)
    except MalformedJSON:
        return None
    except BadRequest as bad:
        frame = json.loads(answers.error_frame(bad.error, bad.envelope))
    assert frame["detail"]
    return None


# On a busy machine an example may take its time.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
few = settings(patient, max_examples=50)


@patient
@given(st.text())
def test_any_text_is_a_request_or_one_of_two_errors(text: str) -> None:
    _parse(text)


@patient
@given(documents)
def test_any_document_is_a_request_or_one_of_two_errors(document: object) -> None:
    _parse(json.dumps(document))


@few
@given(requests)
def test_almost_requests_are_requests_or_one_of_two_errors(message: dict[str, Any]) -> None:
    request = _parse(json.dumps(message))
    if request is not None and request.envelope.id:
        assert json.loads(request.envelope.id) == message["id"]


@few
@given(requests, st.integers(0, 200))
def test_a_request_that_was_cut_off_is_malformed_or_refused(message: dict[str, Any], length: int) -> None:
    _parse(json.dumps(message)[:length])


@patient
@given(st.text('[]{}",:\\0123456789.eE+-truefalsn ', max_size=40))
def test_texts_that_look_like_json(text: str) -> None:
    """Whatever we take, the standard library takes too."""
    if _parse(text) is not None:
        json.loads(text)


@patient
@given(request_ids, st.integers(0, 2**53))
def test_an_id_comes_back_as_it_was(request_id: str | int, seq: int) -> None:
    request = parse(json.dumps({"mode": "ping", "id": request_id}))
    frame = json.loads(answers.with_id(answers.pong_frame(seq), request.envelope.id))
    assert frame == {"type": "pong", "seq": seq, "id": request_id}


tasks = st.builds(
    Task,
    uuid=st.uuids().map(str),
    user_id=st.integers(1, 2**53),
    time_created=st.just("2026-11-22T11:57:25.175297Z"),
    time_modified=st.just("2026-11-22T11:57:25.175297Z"),
    task=sendable,
    description=sendable,
    completed=st.booleans(),
    rev=st.integers(1, 2**53),
)


def _stored(task: Task) -> StoredTask:
    return StoredTask(task.uuid, msgspec.json.encode(task))


def _change(task: Task, mode: Any, seq: int) -> Change:
    return Change(task.user_id, seq, mode, task.uuid, None if mode == "delete" else _stored(task).json)


changes = st.builds(_change, tasks, st.sampled_from(["create", "update", "delete"]), st.integers(1, 2**53))


def _as_json(task: Task) -> Any:
    return msgspec.to_builtins(task)


@patient
@given(tasks, request_ids)
def test_a_task_survives_its_frame(task: Task, request_id: str | int) -> None:
    stored = _stored(task)
    for frame in (
        answers.read_frame(stored),
        replayed_frame(stored),
        change_frame(_change(task, "update", 3)),
    ):
        decoded = json.loads(answers.with_id(frame, json.dumps(request_id).encode()))
        assert (decoded["task"], decoded["task_id"]) == (_as_json(task), task.uuid)
        assert list(decoded)[-1] == "id"
        assert decoded["id"] == request_id


@patient
@given(st.lists(tasks, max_size=5), st.integers(0, 2**53), st.booleans())
def test_any_list_is_valid_json(page: list[Task], seq: int, paged: bool) -> None:
    frame = json.loads(answers.all_frame(TaskPage(msgspec.json.encode(page), len(page), seq), paged))
    assert frame["task"] == [_as_json(task) for task in page]
    assert (frame["seq"], "count" in frame) == (seq, paged)


@patient
@given(st.lists(changes, max_size=5), st.integers(0, 2**53), st.booleans(), sendable)
def test_any_page_of_changes_is_valid_json(page: list[Change], seq: int, more: bool, epoch: str) -> None:
    frame = json.loads(answers.sync_frame(ChangePage(page, seq, more), epoch))
    assert [change["seq"] for change in frame["changes"]] == [change.seq for change in page]
    assert [change["task"] is None for change in frame["changes"]] == [change.task is None for change in page]
    lost = json.loads(answers.sync_frame(ChangePage([], seq, more, "epoch_changed"), epoch))
    assert (lost["epoch"], lost["seq"]) == (epoch, seq)


@patient
@given(st.lists(st.tuples(tasks, changes | st.none()), min_size=1, max_size=5))
def test_any_batch_is_valid_json(written: list[tuple[Task, Change | None]]) -> None:
    frame = json.loads(answers.batch_frame([Written(_stored(task), change) for task, change in written]))
    assert len(frame["results"]) == len(written)


@patient
@given(
    sendable,
    sendable,
    st.none() | sendable,
    st.none() | sendable,
    st.dictionaries(sendable, scalars.filter(lambda value: not isinstance(value, (float, int, str)))),
)
def test_any_failure_is_valid_json(
    code: str, message: str, mode: str | None, task_id: str | None, extra: dict[str, Any]
) -> None:
    frame = json.loads(answers.failure_frame(code, message, Envelope(b"5", mode, task_id), errors=extra))
    assert (frame["type"], frame["code"], frame["message"], frame["id"]) == ("error", code, message, 5)
    assert (frame.get("mode"), frame.get("task_id"), frame["errors"]) == (mode, task_id, extra)
