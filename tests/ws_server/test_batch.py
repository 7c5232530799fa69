"""Batches over the WebSocket: all or nothing."""

from __future__ import annotations

import uuid

import pytest

from tests.support.clients import Account, connected, new_account
from tests.support.frames import Frame, assert_nothing_more, create, missing_id
from tests.support.processes import System


async def test_a_batch_answers_with_the_frame_of_each_operation(system: System, account: Account) -> None:
    async with connected(system, account.access) as socket:
        first, second = [(await create(socket, name))["task_id"] for name in ("First", "Second")]
        ops = [
            {"mode": "create", "data": {"task": "New"}, "id": "ignored"},
            {"mode": "update", "task_id": first.upper(), "data": {"completed": True}, "rev": 1},
            {"mode": "delete", "task_id": second},
        ]
        frame = await socket.ask({"mode": "batch", "ops": ops, "id": "b"})
        assert list(frame) == ["type", "results", "id"]
        assert (frame["type"], frame["id"]) == ("batch", "b")
        assert [list(result) for result in frame["results"]] == [
            ["type", "mode", "task", "task_id", "seq"]
        ] * 3
        assert [(result["type"], result["mode"], result["seq"]) for result in frame["results"]] == [
            ("task.update", "create", 3),
            ("task.update", "update", 4),
            ("task.update", "delete", 5),
        ]
        assert frame["results"][1]["task_id"] == first
        assert frame["results"][2]["task"] == {"message": "Task deleted!"}
        tasks = (await socket.ask({"mode": "all"}))["task"]
        assert tasks == [frame["results"][1]["task"], frame["results"][0]["task"]]


async def test_a_later_operation_sees_what_an_earlier_one_did(system: System, account: Account) -> None:
    own = str(uuid.uuid4())
    ops = [
        {"mode": "create", "data": {"task": "a", "uuid": own}},
        {"mode": "update", "task_id": own, "data": {"task": "b"}, "rev": 1},
        {"mode": "create", "data": {"task": "c", "uuid": own}},
        {"mode": "delete", "task_id": own, "rev": 2},
    ]
    async with connected(system, account.access) as socket:
        results = (await socket.ask({"mode": "batch", "ops": ops}))["results"]
        assert [result.get("seq") for result in results] == [1, 2, None, 3]
        assert list(results[2]) == ["type", "mode", "task", "task_id", "replayed"]
        assert (results[2]["replayed"], results[2]["task"]["task"]) == (True, "b")
        assert (await socket.ask({"mode": "all"}))["task"] == []


async def test_a_batch_of_replays_alone_changes_nothing(system: System, account: Account) -> None:
    own = str(uuid.uuid4())
    message = {"mode": "batch", "ops": [{"mode": "create", "data": {"task": "a", "uuid": own}}] * 2}
    async with connected(system, account.access) as socket:
        assert [result.get("seq") for result in (await socket.ask(message))["results"]] == [1, None]
        assert [result.get("seq") for result in (await socket.ask(message))["results"]] == [None, None]
        assert (await socket.ask({"mode": "ping"}))["seq"] == 1


@pytest.mark.parametrize(
    "ops",
    [None, {}, "x", [], 5, [{"mode": "create", "data": {"task": "x"}}] * 101],
    ids=lambda ops: str(ops)[:20],
)
async def test_a_batch_has_1_to_100_operations(system: System, account: Account, ops: object) -> None:
    async with connected(system, account.access) as socket:
        frame = await socket.ask({"mode": "batch", "ops": ops, "id": 1})
        assert "ops" in frame.pop("detail")
        assert frame == {
            "type": "error",
            "message": "Invalid JSON DATA",
            "code": "invalid_request",
            "mode": "batch",
            "id": 1,
        }
        assert (await socket.ask({"mode": "all"}))["task"] == []


async def test_a_hundred_operations_are_done(system: System, account: Account) -> None:
    async with connected(system, account.access) as socket:
        ops = [{"mode": "create", "data": {"task": str(number)}} for number in range(100)]
        results = (await socket.ask({"mode": "batch", "ops": ops}))["results"]
        assert [result["seq"] for result in results] == list(range(1, 101))
        tasks = (await socket.ask({"mode": "all"}))["task"]
        assert [task["task"] for task in tasks] == [str(number) for number in range(100)]


GOOD: Frame = {"mode": "create", "data": {"task": "Never there"}}
BAD: list[tuple[object, str, str | None]] = [
    ({"mode": "create", "data": {"task": ""}}, "validation", "errors"),
    ({"mode": "create", "data": {}}, "validation", "errors"),
    ({"mode": "create"}, "invalid_request", "detail"),
    ({"mode": "update", "data": {}}, "invalid_request", "detail"),
    ({"mode": "update", "task_id": str(uuid.UUID(int=1)), "data": {}}, "not_found", None),
    ({"mode": "delete", "task_id": "nonsense"}, "not_found", None),
    ({"mode": "delete", "task_id": "STALE", "rev": 9}, "conflict", "task"),
    ({"mode": "delete", "task_id": "FOREIGN"}, "not_found", None),
    ({"mode": "all"}, "invalid_request", "detail"),
    ({"mode": "batch", "ops": [GOOD]}, "invalid_request", "detail"),
    ({}, "invalid_request", "detail"),
    ("x", "invalid_request", "detail"),
]


@pytest.mark.parametrize(("bad", "code", "key"), BAD, ids=lambda value: str(value)[:50])
async def test_one_bad_operation_leaves_nothing_written(
    system: System, account: Account, bad: object, code: str, key: str | None
) -> None:
    foreign = new_account(system).rest("POST", "/", {"task": "Not yours"}).body["uuid"]
    async with connected(system, account.access) as socket, connected(system, account.access) as other:
        task = (await create(socket))["task"]
        assert (await other.receive())["seq"] == 1
        if isinstance(bad, dict) and "task_id" in bad:
            ids = {"STALE": task["uuid"], "FOREIGN": foreign}
            bad = {**bad, "task_id": ids.get(bad["task_id"], bad["task_id"])}
        frame = await socket.ask({"mode": "batch", "ops": [GOOD, GOOD, bad], "id": "b"})
        assert (frame["type"], frame["code"], frame["mode"], frame["id"]) == ("error", code, "batch", "b")
        assert frame["op"] == 2
        assert set(frame) == {"type", "message", "code", "mode", "id", "op", *([key] if key else [])}
        if key == "task":
            assert frame["task"] == task
        assert await socket.ask({"mode": "ping"}) == {"type": "pong", "seq": 1}
        await assert_nothing_more(other)


@pytest.mark.parametrize(
    "bad",
    [{"mode": "create", "data": {}}, {"mode": "delete", "task_id": missing_id()}, {"mode": "x"}],
    ids=lambda bad: str(bad["mode"]),
)
async def test_the_operation_is_named_when_it_is_the_only_one(
    system: System, account: Account, bad: Frame
) -> None:
    async with connected(system, account.access) as socket:
        frame = await socket.ask({"mode": "batch", "ops": [bad]})
    assert (frame["type"], frame.get("op")) == ("error", 0)


async def test_the_first_bad_operation_is_named(system: System, account: Account) -> None:
    ops = [
        GOOD,
        {"mode": "delete", "task_id": missing_id()},
        {"mode": "create", "data": {"task": ""}},
        {"mode": "nonsense"},
    ]
    async with connected(system, account.access) as socket:
        frame = await socket.ask({"mode": "batch", "ops": ops})
    assert (frame["code"], frame["op"]) == ("not_found", 1)


async def test_the_requester_gets_its_batch_once_and_others_each_change(
    system: System, account: Account
) -> None:
    async with connected(system, account.access) as socket, connected(system, account.access) as other:
        task_id = (await create(socket))["task_id"]
        ops = [GOOD, {"mode": "delete", "task_id": task_id}, GOOD]
        results = (await socket.ask({"mode": "batch", "ops": ops}))["results"]
        await assert_nothing_more(socket)
        assert (await other.receive())["seq"] == 1
        assert [await other.receive() for _ in ops] == results
        await assert_nothing_more(other)
