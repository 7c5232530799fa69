"""What each mode answers."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest

from tests.support.clients import Account, connected
from tests.support.frames import TASK_KEYS, Frame, create
from tests.support.processes import System

UTC_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"


async def test_create_answers_with_the_task_its_id_and_the_seq(system: System, account: Account) -> None:
    async with connected(system, account.access) as socket:
        data = {"task": "  Buy milk ", "description": "2 litres"}
        frame = await socket.ask({"mode": "create", "data": data, "id": "c"})
    assert list(frame) == ["type", "mode", "task", "task_id", "seq", "id"]
    task = frame.pop("task")
    assert list(task) == TASK_KEYS
    assert frame == {"type": "task.update", "mode": "create", "task_id": task["uuid"], "seq": 1, "id": "c"}
    assert task["uuid"] == str(uuid.UUID(task["uuid"]))
    assert task["time_created"] == task["time_modified"]
    assert {key: task[key] for key in ("user_id", "task", "description", "completed", "rev")} == {
        "user_id": account.id,
        "task": "Buy milk",
        "description": "2 litres",
        "completed": False,
        "rev": 1,
    }
    assert account.rest("GET", f"/task/{task['uuid']}/").body == task


async def test_times_are_utc_with_microseconds(system: System, account: Account) -> None:
    async with connected(system, account.access) as socket:
        task = (await create(socket))["task"]
    assert re.fullmatch(UTC_TIME, task["time_created"])
    assert re.fullmatch(UTC_TIME, task["time_modified"])


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ({"task": 5}, {"task": "5", "description": "", "completed": False}),
        ({"task": "x", "description": ""}, {"task": "x", "description": "", "completed": False}),
        ({"task": "x", "completed": True}, {"task": "x", "description": "", "completed": True}),
        ({"task": "x", "completed": "true"}, {"task": "x", "description": "", "completed": True}),
        ({"task": "x", "completed": 0}, {"task": "x", "description": "", "completed": False}),
        ({"task": "é" * 255}, {"task": "é" * 255, "description": "", "completed": False}),
        ({"task": "x", "description": "d" * 10_000}, {"description": "d" * 10_000}),
        ({"task": "x", "rev": 9, "user_id": 1, "time_created": "then", "else": {}}, {"task": "x", "rev": 1}),
        ({"task": "x", "uuid": None}, {"task": "x"}),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_create_takes_fields_as_drf_does(
    system: System, account: Account, given: Frame, stored: Frame
) -> None:
    async with connected(system, account.access) as socket:
        task = (await create(socket, given["task"], **{k: v for k, v in given.items() if k != "task"}))[
            "task"
        ]
    assert {key: task[key] for key in stored} == stored
    assert task["user_id"] == account.id


async def test_read_answers_with_the_task(system: System, account: Account) -> None:
    async with connected(system, account.access) as socket:
        task = (await create(socket))["task"]
        frame = await socket.ask({"mode": "read", "task_id": task["uuid"], "id": 5})
    assert list(frame) == ["type", "mode", "task", "task_id", "id"]
    assert list(frame["task"]) == TASK_KEYS
    assert frame == {
        "type": "task.update",
        "mode": "read",
        "task": task,
        "task_id": task["uuid"],
        "id": 5,
    }


async def test_update_changes_what_is_given_and_keeps_the_rest(system: System, account: Account) -> None:
    async with connected(system, account.access) as socket:
        old = (await create(socket, "Old", description="Kept", completed=True))["task"]
        request = {"mode": "update", "task_id": old["uuid"], "data": {"task": "New"}, "id": 5}
        frame = await socket.ask(request)
    assert list(frame) == ["type", "mode", "task", "task_id", "seq", "id"]
    new = frame.pop("task")
    assert list(new) == TASK_KEYS
    assert frame == {"type": "task.update", "mode": "update", "task_id": old["uuid"], "seq": 2, "id": 5}
    assert new["time_modified"] > old["time_modified"]
    assert new == {**old, "task": "New", "rev": 2, "time_modified": new["time_modified"]}


@pytest.mark.parametrize(
    "data", [{}, {"task": "Same"}, {"unknown": 1}, {"uuid": "ignored", "rev": 99}], ids=str
)
async def test_an_update_to_what_is_already_there_is_a_change_too(
    system: System, account: Account, data: Frame
) -> None:
    async with connected(system, account.access) as socket:
        task_id = (await create(socket, "Same"))["task_id"]
        frame = await socket.ask({"mode": "update", "task_id": task_id, "data": data})
    assert (frame["seq"], frame["task"]["rev"], frame["task"]["task"]) == (2, 2, "Same")
    assert frame["task"]["time_modified"] > frame["task"]["time_created"]


async def test_delete_says_so_and_the_task_is_gone(system: System, account: Account) -> None:
    async with connected(system, account.access) as socket:
        task_id = (await create(socket))["task_id"]
        frame = await socket.ask({"mode": "delete", "task_id": task_id, "id": "d"})
        assert list(frame) == ["type", "mode", "task", "task_id", "seq", "id"]
        assert frame == {
            "type": "task.update",
            "mode": "delete",
            "task": {"message": "Task deleted!"},
            "task_id": task_id,
            "seq": 2,
            "id": "d",
        }
        assert (await socket.ask({"mode": "all"}))["task"] == []
        assert (await socket.ask({"mode": "delete", "task_id": task_id}))["code"] == "not_found"


async def test_ping_answers_with_the_seq(system: System, account: Account) -> None:
    async with connected(system, account.access) as socket:
        assert await socket.ask({"mode": "ping"}) == {"type": "pong", "seq": 0}
        await create(socket)
        assert list(await socket.ask({"mode": "ping", "id": 0})) == ["type", "seq", "id"]
        assert await socket.ask({"mode": "ping", "id": 0}) == {"type": "pong", "seq": 1, "id": 0}


async def test_unknown_keys_are_ignored_everywhere(system: System, account: Account) -> None:
    extra: dict[str, Any] = {"type": "task", "extra": [1, {"a": None}], "seq": 99, "": ""}
    async with connected(system, account.access) as socket:
        created = await socket.ask({**extra, "mode": "create", "data": {"task": "x", **extra}})
        task_id = created["task_id"]
        for message in (
            {"mode": "all"},
            {"mode": "read", "task_id": task_id},
            {"mode": "update", "task_id": task_id, "data": {}},
            {"mode": "sync", "epoch": socket.auth["epoch"], "since": 0},
            {"mode": "ping"},
            {"mode": "batch", "ops": [{**extra, "mode": "create", "data": {"task": "y"}}]},
            {"mode": "delete", "task_id": task_id},
        ):
            assert (await socket.ask({**extra, **message}))["type"] != "error", message


async def test_pipelined_requests_are_answered_in_order(system: System, account: Account) -> None:
    async with connected(system, account.access) as socket:
        task_id = (await create(socket))["task_id"]
        requests: list[Frame] = [
            {"mode": "create", "data": {"task": "x"}},
            {"mode": "all"},
            {"mode": "update", "task_id": task_id, "data": {"completed": True}},
            {"mode": "read", "task_id": task_id},
            {"mode": "nonsense"},
            {"mode": "batch", "ops": [{"mode": "create", "data": {"task": "y"}}]},
            {"mode": "sync", "epoch": socket.auth["epoch"], "since": 0},
            {"mode": "ping"},
            {"mode": "read", "task_id": "nonsense"},
        ] * 20
        for number, message in enumerate(requests):
            await socket.send({**message, "id": number})
        answers = [await socket.receive() for _ in requests]
    assert [answer["id"] for answer in answers] == list(range(len(requests)))


@pytest.mark.parametrize(
    "request_id", ["", "a", "ü" * 64, "\U0001f600" * 64, 0, -1, 2**53, 2**63 - 1, -(2**63)]
)
async def test_an_id_comes_back_as_it_was(system: System, account: Account, request_id: object) -> None:
    async with connected(system, account.access) as socket:
        assert (await socket.ask({"mode": "ping", "id": request_id}))["id"] == request_id
        error = await socket.ask({"mode": "read", "task_id": "nonsense", "id": request_id})
        assert (error["code"], error["id"]) == ("not_found", request_id)


@pytest.mark.parametrize("request_id", ["x" * 65, 1.5, True, [], {}], ids=lambda value: str(value)[:20])
async def test_a_bad_id_is_an_invalid_request_without_one(
    system: System, account: Account, request_id: object
) -> None:
    async with connected(system, account.access) as socket:
        frame = await socket.ask({"mode": "ping", "id": request_id})
        assert (frame["code"], "id" in frame) == ("invalid_request", False)
        assert "id" in frame["detail"]
        assert (await socket.ask({"mode": "ping"}))["type"] == "pong"
