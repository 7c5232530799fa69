"""Batches over REST, and the table of their errors."""

from __future__ import annotations

import pytest

from tests.support.clients import Account, new_account
from tests.support.frames import Frame, missing_id
from tests.support.processes import System

GOOD: Frame = {"mode": "create", "data": {"task": "Never there"}}


def test_a_batch_answers_as_over_the_websocket(account: Account) -> None:
    first, second = [account.rest("POST", "/", {"task": name}).body for name in ("First", "Second")]
    ops = [
        {"mode": "create", "data": {"task": "New"}},
        {"mode": "create", "data": {"task": "x", "uuid": first["uuid"]}},
        {"mode": "update", "task_id": first["uuid"], "data": {"completed": True}, "rev": 1},
        {"mode": "delete", "task_id": second["uuid"]},
    ]
    answer = account.rest("POST", "/batch/", {"ops": ops})
    assert (answer.status, list(answer.body)) == (200, ["results"])
    results = answer.body["results"]
    assert [result.get("seq") for result in results] == [3, None, 4, 5]
    assert [list(result)[:4] for result in results] == [["type", "mode", "task", "task_id"]] * 4
    assert (results[1]["replayed"], results[1]["task"]) == (True, first)
    assert results[3]["task"] == {"message": "Task deleted!"}
    assert account.rest("GET", "/").body == [results[2]["task"], results[0]["task"]]


@pytest.mark.parametrize(
    ("bad", "status", "code", "key"),
    [
        ({"mode": "create", "data": {"task": ""}}, 400, "validation", "errors"),
        ({"mode": "create"}, 400, "invalid_request", None),
        ({"mode": "read", "task_id": "x"}, 400, "invalid_request", None),
        ("x", 400, "invalid_request", None),
        ({"mode": "delete", "task_id": "MISSING"}, 404, "not_found", None),
        ({"mode": "update", "task_id": "FOREIGN", "data": {}}, 404, "not_found", None),
        ({"mode": "update", "task_id": "nonsense", "data": {}}, 404, "not_found", None),
        ({"mode": "delete", "task_id": "STALE", "rev": 9}, 409, "conflict", "task"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_one_bad_operation_leaves_nothing_written(
    system: System,
    account: Account,
    bad: object,
    status: int,
    code: str,
    key: str | None,
) -> None:
    task = account.rest("POST", "/", {"task": "There"}).body
    ids = {
        "MISSING": missing_id(),
        "FOREIGN": new_account(system).rest("POST", "/", {"task": "Not yours"}).body["uuid"],
        "STALE": task["uuid"],
    }
    if isinstance(bad, dict) and bad.get("task_id") in ids:
        bad = {**bad, "task_id": ids[bad["task_id"]]}
    answer = account.rest("POST", "/batch/", {"ops": [GOOD, GOOD, bad]})
    assert (answer.status, answer.body["code"]) == (status, code)
    assert isinstance(answer.body["detail"], str)
    assert answer.body["op"] == 2
    assert set(answer.body) == {"detail", "code", "op", *([key] if key else [])}
    if key == "errors":
        assert answer.body["errors"] == {"task": ["This field may not be blank."]}
    if key == "task":
        assert answer.body["task"] == task
    assert account.rest("GET", "/").headers["X-Taskbeam-Seq"] == "1"


@pytest.mark.parametrize(
    ("bad", "status"),
    [({"mode": "create", "data": {}}, 400), ({"mode": "delete", "task_id": missing_id()}, 404)],
    ids=["validation", "not found"],
)
def test_the_operation_is_named_when_it_is_the_only_one(account: Account, bad: Frame, status: int) -> None:
    answer = account.rest("POST", "/batch/", {"ops": [bad]})
    assert (answer.status, answer.body.get("op")) == (status, 0)


def test_a_batch_over_the_limit_is_forbidden(low_limits_system: System) -> None:
    account = new_account(low_limits_system)
    answer = account.rest("POST", "/batch/", {"ops": [GOOD] * 4})
    assert (answer.status, answer.body["code"], answer.body["op"]) == (403, "limit_reached", 3)
    assert account.rest("GET", "/").body == []


@pytest.mark.parametrize("ops", [None, [], {}, "x", [GOOD] * 101], ids=lambda ops: str(ops)[:20])
def test_a_batch_has_1_to_100_operations(account: Account, ops: object) -> None:
    answer = account.rest("POST", "/batch/", {"ops": ops})
    assert (answer.status, answer.body["code"]) == (400, "invalid_request")
    assert account.rest("POST", "/batch/", {}).status == 400
    assert account.rest("GET", "/").body == []
