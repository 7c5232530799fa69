"""From text to a request."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.models import CreateTask, DeleteTask, RefusedOperation, TaskQuery, UpdateTask
from shared.strict_json import MalformedJSON
from ws_server.requests import (
    All,
    Auth,
    BadRequest,
    Batch,
    Create,
    Delete,
    Envelope,
    Ping,
    Read,
    Request,
    Sync,
    Update,
    parse,
)

UUID = "16f894b8-cb89-4672-9561-0b80cc75ae1b"


def _parse(message: object) -> Request:
    return parse(json.dumps(message))


def _refusal(message: object) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        _parse(message)
    return caught.value


def test_auth() -> None:
    assert _parse({"type": "auth", "token": "x"}) == Auth(Envelope(), "x", push=True)
    assert _parse({"type": "auth", "token": "x", "push": False, "id": 1}) == Auth(
        Envelope(b"1"), "x", push=False
    )


@pytest.mark.parametrize("message", [{}, {"token": None}, {"token": ""}], ids=str)
def test_auth_without_a_token(message: dict[str, Any]) -> None:
    assert _parse({"type": "auth", **message}) == Auth(Envelope(), None, push=True)


@pytest.mark.parametrize("token", [0, 5, True, False, [], ["x"], {}], ids=repr)
def test_a_token_that_is_no_string_is_one_that_is_not_valid(token: object) -> None:
    request = _parse({"type": "auth", "token": token})
    assert isinstance(request, Auth)
    assert request.token


def test_auth_wins_over_a_mode() -> None:
    assert isinstance(_parse({"type": "auth", "mode": "all", "token": "x"}), Auth)


@pytest.mark.parametrize("kind", ["task.update", "AUTH", "", None, 5, ["auth"]], ids=repr)
def test_another_type_is_ignored(kind: object) -> None:
    assert isinstance(_parse({"type": kind, "mode": "ping"}), Ping)


def test_all() -> None:
    assert _parse({"mode": "all"}) == All(Envelope(mode="all"), TaskQuery(), paged=False)
    request = _parse(
        {
            "mode": "all",
            "completed": True,
            "search": "Big  Milk",
            "ordering": "-time_modified",
            "limit": 1000,
            "offset": 5,
        }
    )
    assert isinstance(request, All)
    assert request.paged
    query = request.query
    assert (query.completed, query.limit, query.offset) == (True, 1000, 5)
    assert query.search == ("big", "milk")
    assert query.ordering == (("time_modified", True),)


@pytest.mark.parametrize(("key", "paged"), [("limit", True), ("offset", True), ("search", False)])
def test_limit_or_offset_make_a_page(key: str, paged: bool) -> None:
    request = _parse({"mode": "all", key: "x" if key == "search" else 1})
    assert isinstance(request, All)
    assert request.paged is paged


def test_an_integer_may_be_written_with_a_zero_fraction() -> None:
    page = _parse({"mode": "all", "limit": 2.0, "offset": 0.0})
    assert isinstance(page, All)
    assert (page.query.limit, page.query.offset) == (2, 0)
    sync = _parse({"mode": "sync", "epoch": "e", "since": 3.0})
    assert isinstance(sync, Sync)
    assert (sync.since, type(sync.since)) == (3, int)
    update = _parse({"mode": "update", "task_id": UUID, "data": {}, "rev": 1.0})
    assert isinstance(update, Update)
    assert (update.rev, type(update.rev)) == (1, int)


def test_create() -> None:
    data: dict[str, object] = {"task": "x", "unknown": [1]}
    assert _parse({"mode": "create", "data": data}) == Create(Envelope(mode="create"), data)


def test_read_update_and_delete_repeat_the_id_as_it_was_given() -> None:
    given = UUID.upper()
    assert _parse({"mode": "read", "task_id": given}) == Read(Envelope(mode="read", task_id=given), given)
    assert _parse({"mode": "update", "task_id": given, "data": {}, "rev": 3}) == Update(
        Envelope(mode="update", task_id=given), given, {}, 3
    )
    assert _parse({"mode": "delete", "task_id": given}) == Delete(
        Envelope(mode="delete", task_id=given), given, None
    )


def test_batch_keeps_a_bad_operation_in_its_place() -> None:
    request = _parse(
        {
            "mode": "batch",
            "ops": [
                {"mode": "create", "data": {"task": " a "}},
                {"mode": "update", "task_id": UUID.upper(), "data": {"completed": True}, "rev": 2},
                {"mode": "delete", "task_id": UUID},
                {"mode": "all"},
            ],
        }
    )
    assert isinstance(request, Batch)
    assert request.operations[:3] == [
        CreateTask(None, "a"),
        UpdateTask(UUID, completed=True, rev=2),
        DeleteTask(UUID),
    ]
    assert isinstance(request.operations[3], RefusedOperation)


def test_sync() -> None:
    assert _parse({"mode": "sync", "epoch": "e", "since": 0}) == Sync(Envelope(mode="sync"), "e", 0)


def test_ping() -> None:
    assert _parse({"mode": "ping", "id": "x"}) == Ping(Envelope(b'"x"', "ping"))


def test_unknown_keys_are_ignored() -> None:
    assert _parse({"mode": "ping", "x": {"y": [None]}, "data": 5}) == _parse({"mode": "ping"})


BAD_VALUES: list[tuple[dict[str, Any], str, list[object]]] = [
    ({}, "mode", [None, "ALL", "", "nonsense", 5, True, [], {}]),
    ({"type": "auth", "token": "x"}, "push", [None, 0, 1, "true", []]),
    ({"mode": "all"}, "completed", [None, 0, 1, "true", []]),
    ({"mode": "all"}, "search", [None, 0, [], "a\0"]),
    ({"mode": "all"}, "ordering", [None, 0, [], "", "x", "user_id", "--task"]),
    ({"mode": "all"}, "limit", [None, 0, 1001, -1, 1.5, "1", True, []]),
    ({"mode": "all"}, "offset", [None, -1, 1.5, "1", False, 2**64, []]),
    ({"mode": "create"}, "data", [None, [], "x", 1]),
    ({"mode": "read"}, "task_id", [None, 5, True, [], {}]),
    ({"mode": "update", "data": {}}, "task_id", [None, 5, True, [], {}]),
    ({"mode": "delete"}, "task_id", [None, 5, True, [], {}]),
    ({"mode": "update", "task_id": UUID}, "data", [None, [], "x", 1]),
    ({"mode": "update", "task_id": UUID, "data": {}}, "rev", ["1", 1.5, True, []]),
    ({"mode": "delete", "task_id": UUID}, "rev", ["1", 1.5, True, []]),
    ({"mode": "batch"}, "ops", [None, [], {}, "x", [{}] * 101]),
    ({"mode": "sync", "since": 0}, "epoch", [None, 5, []]),
    ({"mode": "sync", "epoch": "e"}, "since", [None, -1, "0", 0.5, True, [], 2**64]),
]
MALFORMED_KEYS: list[tuple[dict[str, Any], str]] = [
    *(({**message, key: value}, key) for message, key, values in BAD_VALUES for value in values),
    *(
        (message, key)
        for message, key, _ in BAD_VALUES
        if key in ("mode", "data", "task_id", "ops", "epoch", "since")
    ),
]


@pytest.mark.parametrize(("message", "key"), MALFORMED_KEYS, ids=lambda value: str(value)[:60])
def test_a_malformed_key_is_named(message: dict[str, Any], key: str) -> None:
    refusal = _refusal({**message, "id": 7})
    assert (refusal.error.code, refusal.error.message) == ("invalid_request", "Invalid JSON DATA")
    assert list(refusal.error.extra) == ["detail"]
    assert key in str(refusal.error.extra["detail"])
    mode, task_id = message.get("mode"), message.get("task_id")
    assert refusal.envelope == Envelope(
        b"7", mode if isinstance(mode, str) else None, task_id if isinstance(task_id, str) else None
    )


@pytest.mark.parametrize("document", [[], [1], "x", 5, 1.5, True, None], ids=repr)
def test_a_document_that_is_no_object_is_refused(document: object) -> None:
    refusal = _refusal(document)
    assert refusal.error.extra["detail"]
    assert refusal.envelope == Envelope()


@pytest.mark.parametrize(
    "request_id", ["", "x", "x" * 64, "\U0001f600" * 64, '"\\\n', 0, -1, 2**63, -(2**63)], ids=repr
)
def test_a_good_id_is_kept_as_json(request_id: object) -> None:
    request = _parse({"mode": "ping", "id": request_id})
    assert json.loads(request.envelope.id) == request_id


@pytest.mark.parametrize("request_id", ["x" * 65, 1.0, 1.5, True, False, [], [1], {}, {"a": 1}], ids=repr)
def test_a_bad_id_is_refused_and_not_repeated(request_id: object) -> None:
    for message in ({"mode": "ping"}, {"type": "auth", "token": "x"}, {}):
        refusal = _refusal({**message, "id": request_id})
        assert "id" in str(refusal.error.extra["detail"])
        assert refusal.envelope.id == b""


MALFORMED = [
    "",
    " ",
    "{",
    "}",
    "{]",
    "{'mode': 'all'}",
    '{"mode": "all",}',
    '{"mode": "all"} x',
    '{"mode" "all"}',
    "nul",
    "NaN",
    "[Infinity]",
    '{"a": -Infinity}',
    '"\\ud800"',
    '{"\\udc00": 1}',
    '"\\ud800\\ud800"',
    '"\t"',
    "01",
    "+1",
    ".5",
    "0x10",
    "[" * 100_000,
    "[" * 100_000 + "]" * 100_000,
    '{"a":' * 50_000 + "1" + "}" * 50_000,
]


@pytest.mark.parametrize("text", MALFORMED, ids=lambda text: repr(text)[:30])
def test_what_is_no_json_is_malformed(text: str) -> None:
    with pytest.raises(MalformedJSON) as caught:
        parse(text)
    assert str(caught.value)
