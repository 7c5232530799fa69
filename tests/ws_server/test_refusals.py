"""Requests that are refused, with the connection staying open: who else's task it is, stale revisions, bad fields."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.support.clients import Account, connected, new_account
from tests.support.frames import Frame, assert_nothing_more, create, missing_id
from tests.support.processes import System

NOT_FOUND = {"type": "error", "message": "Task not Found!", "code": "not_found"}
INVALID = {"type": "error", "message": "Invalid JSON DATA", "code": "invalid_request"}


def _requests(task_id: object) -> list[dict[str, Any]]:
    return [
        {"mode": "read", "task_id": task_id},
        {"mode": "update", "task_id": task_id, "data": {"task": "Mine now"}},
        {"mode": "update", "task_id": task_id, "data": {"task": "Mine now"}, "rev": 1},
        {"mode": "update", "task_id": task_id, "data": {"task": ""}},
        {"mode": "delete", "task_id": task_id},
        {"mode": "delete", "task_id": task_id, "rev": 7},
    ]


async def test_a_foreign_task_answers_exactly_as_a_missing_one(system: System, account: Account) -> None:
    foreign = new_account(system).rest("POST", "/", {"task": "Not yours"}).body["uuid"]
    async with connected(system, account.access) as socket:
        for task_id in (foreign, missing_id()):
            for number, message in enumerate(_requests(task_id)):
                frame = await socket.ask({**message, "id": number})
                assert list(frame) == ["type", "message", "code", "mode", "task_id", "id"]
                assert frame == {**NOT_FOUND, "mode": message["mode"], "task_id": task_id, "id": number}
        assert (await socket.ask({"mode": "ping"}))["seq"] == 0


@pytest.mark.parametrize("task_id", ["", "nonsense", "123", "\0", "é", "x" * 300, "' OR 1=1 --"], ids=repr)
async def test_a_string_that_is_no_uuid_is_not_found(system: System, account: Account, task_id: str) -> None:
    async with connected(system, account.access) as socket:
        for message in _requests(task_id):
            expected = {**NOT_FOUND, "mode": message["mode"], "task_id": task_id}
            assert await socket.ask(message) == expected


@pytest.mark.parametrize("task_id", [None, 5, True, [], {}], ids=repr)
async def test_an_id_that_is_no_string_is_an_invalid_request(
    system: System, account: Account, task_id: object
) -> None:
    async with connected(system, account.access) as socket:
        for message in _requests(task_id):
            frame = await socket.ask(message)
            assert "task_id" in frame.pop("detail")
            assert frame == {**INVALID, "mode": message["mode"]}


async def test_ids_are_accepted_in_every_spelling(system: System, account: Account) -> None:
    async with connected(system, account.access) as socket:
        task_id = (await create(socket))["task_id"]
        plain = task_id.replace("-", "")
        for spelling in (task_id.upper(), plain, plain.upper(), f"{{{task_id}}}"):
            read = await socket.ask({"mode": "read", "task_id": spelling})
            assert (read["mode"], read["task_id"]) == ("read", task_id)
            update = await socket.ask({"mode": "update", "task_id": spelling, "data": {}})
            assert (update["mode"], update["task_id"]) == ("update", task_id)
        assert (await socket.ask({"mode": "delete", "task_id": plain.upper()}))["task_id"] == task_id


async def test_the_current_rev_is_let_through(system: System, account: Account) -> None:
    async with connected(system, account.access) as socket:
        task_id = (await create(socket))["task_id"]
        update = await socket.ask({"mode": "update", "task_id": task_id, "data": {}, "rev": 1})
        assert update["task"]["rev"] == 2
        assert (await socket.ask({"mode": "delete", "task_id": task_id, "rev": 2}))["seq"] == 3


@pytest.mark.parametrize("rev", [0, 1, 3, -1, 2**70])
async def test_another_rev_is_a_conflict_with_the_current_task(
    system: System, account: Account, rev: int
) -> None:
    async with connected(system, account.access) as socket:
        task_id = (await create(socket))["task_id"]
        current = (await socket.ask({"mode": "update", "task_id": task_id, "data": {"task": "v2"}}))["task"]
        for message in (
            {"mode": "update", "task_id": task_id, "data": {"task": "v3"}, "rev": rev, "id": 1},
            {"mode": "delete", "task_id": task_id, "rev": rev, "id": 1},
        ):
            frame = await socket.ask(message)
            assert list(frame) == ["type", "message", "code", "mode", "task_id", "task", "id"]
            assert (frame["code"], frame["mode"], frame["task_id"]) == ("conflict", message["mode"], task_id)
            assert frame["task"] == current
        assert (await socket.ask({"mode": "ping"}))["seq"] == 2


@pytest.mark.parametrize("rev", ["1", 1.5, True, [], {}], ids=repr)
async def test_a_rev_that_is_no_integer_is_an_invalid_request(
    system: System, account: Account, rev: object
) -> None:
    async with connected(system, account.access) as socket:
        task_id = (await create(socket))["task_id"]
        for message in (
            {"mode": "update", "task_id": task_id, "data": {}, "rev": rev},
            {"mode": "delete", "task_id": task_id, "rev": rev},
        ):
            frame = await socket.ask(message)
            assert frame["code"] == "invalid_request"
            assert "rev" in frame["detail"]


@pytest.mark.parametrize(
    ("data", "errors"),
    [
        ({}, {"task": ["This field is required."]}),
        ({"task": ""}, {"task": ["This field may not be blank."]}),
        ({"task": " \t\n"}, {"task": ["This field may not be blank."]}),
        ({"task": None}, {"task": ["This field may not be null."]}),
        ({"task": True}, {"task": ["Not a valid string."]}),
        ({"task": []}, {"task": ["Not a valid string."]}),
        ({"task": "x" * 256}, {"task": ["Ensure this field has no more than 255 characters."]}),
        ({"task": "a\0b"}, {"task": ["Null characters are not allowed."]}),
        ({"task": "x", "description": None}, {"description": ["This field may not be null."]}),
        (
            {"task": "x", "description": "d" * 10_001},
            {"description": ["Ensure this field has no more than 10000 characters."]},
        ),
        ({"task": "x", "completed": "maybe"}, {"completed": ["Must be a valid boolean."]}),
        ({"task": "x", "completed": None}, {"completed": ["This field may not be null."]}),
        ({"task": "x", "uuid": "nonsense"}, {"uuid": ["Must be a valid UUID."]}),
        (
            {"description": {}, "completed": 2},
            {
                "task": ["This field is required."],
                "description": ["Not a valid string."],
                "completed": ["Must be a valid boolean."],
            },
        ),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_bad_fields_are_named_in_drfs_words(
    system: System, account: Account, data: Frame, errors: Frame
) -> None:
    async with connected(system, account.access) as socket:
        frame = await socket.ask({"mode": "create", "data": data, "id": "v"})
        assert list(frame) == ["type", "message", "code", "mode", "errors", "id"]
        assert (frame["type"], frame["code"], frame["mode"]) == ("error", "validation", "create")
        assert frame["errors"] == errors
        assert (await socket.ask({"mode": "all"}))["task"] == []


async def test_bad_fields_of_an_update_write_nothing(system: System, account: Account) -> None:
    async with connected(system, account.access) as socket:
        task_id = (await create(socket))["task_id"]
        frame = await socket.ask(
            {"mode": "update", "task_id": task_id, "data": {"task": "", "completed": True}}
        )
        assert (frame["code"], frame["errors"]) == ("validation", {"task": ["This field may not be blank."]})
        assert frame["task_id"] == task_id
        task = (await socket.ask({"mode": "read", "task_id": task_id}))["task"]
        assert (task["completed"], task["rev"]) == (False, 1)


async def test_a_create_with_its_own_uuid_can_be_repeated(system: System, account: Account) -> None:
    own = str(uuid.uuid4())
    message = {"mode": "create", "data": {"task": "Once", "uuid": own.upper()}, "id": "r"}
    async with connected(system, account.access) as socket, connected(system, account.access) as other:
        first = await socket.ask(message)
        assert (first["task_id"], first["seq"]) == (own, 1)
        assert (await other.receive())["seq"] == 1
        message["data"] = {"task": "Something else", "uuid": own.replace("-", "")}
        again = await socket.ask(message)
        assert list(again) == ["type", "mode", "task", "task_id", "replayed", "id"]
        assert again == {
            "type": "task.update",
            "mode": "create",
            "task": first["task"],
            "task_id": own,
            "replayed": True,
            "id": "r",
        }
        await assert_nothing_more(other)
        assert (await socket.ask({"mode": "ping"}))["seq"] == 1


async def test_a_uuid_of_another_user_is_a_validation_error(system: System, account: Account) -> None:
    taken = new_account(system).rest("POST", "/", {"task": "Not yours"}).body["uuid"]
    async with connected(system, account.access) as socket:
        frame = await socket.ask({"mode": "create", "data": {"task": "x", "uuid": taken}})
        assert (frame["code"], list(frame["errors"])) == ("validation", ["uuid"])
        assert "Not yours" not in str(frame)


@pytest.mark.parametrize(
    ("message", "key"),
    [
        ({}, "mode"),
        ({"mode": None}, "mode"),
        ({"mode": "nonsense"}, "mode"),
        ({"mode": "ALL"}, "mode"),
        ({"mode": ["all"]}, "mode"),
        ({"mode": 1}, "mode"),
        ({"type": "task"}, "mode"),
        ({"mode": "create"}, "data"),
        ({"mode": "create", "data": None}, "data"),
        ({"mode": "create", "data": []}, "data"),
        ({"mode": "create", "data": "x"}, "data"),
        ({"mode": "update", "task_id": "x"}, "data"),
        ({"mode": "update", "task_id": "x", "data": 5}, "data"),
        ({"mode": "update", "data": {}}, "task_id"),
        ({"mode": "read"}, "task_id"),
        ({"mode": "delete"}, "task_id"),
        ({"type": "auth", "token": "x", "push": "no"}, "push"),
    ],
    ids=str,
)
async def test_a_missing_or_malformed_key_is_named(
    system: System, account: Account, message: Frame, key: str
) -> None:
    async with connected(system, account.access) as socket:
        frame = await socket.ask({**message, "id": "i"})
        assert key in frame.pop("detail")
        common = {name: message[name] for name in ("mode", "task_id") if isinstance(message.get(name), str)}
        assert frame == {**INVALID, **common, "id": "i"}
        await assert_nothing_more(socket)


@pytest.mark.parametrize("text", ["[]", "5", "null", '"text"', "true", '[{"mode": "all"}]'])
async def test_json_that_is_no_object_is_an_invalid_request(
    system: System, account: Account, text: str
) -> None:
    async with connected(system, account.access) as socket:
        frame = await socket.ask(text)
        assert isinstance(frame.pop("detail"), str)
        assert frame == INVALID
        await assert_nothing_more(socket)
