"""The list: filters, orders and pages."""

from __future__ import annotations

import pytest

from tests.support.clients import Account, Socket, connected, new_account
from tests.support.frames import TASK_KEYS, Frame, assert_nothing_more, create
from tests.support.processes import System


@pytest.fixture(scope="module")
def owner(system: System) -> Account:
    """Has five tasks and has changed the second."""
    owner = new_account(system)
    titles = ["Buy MILK", "straße fegen", "call Élodie", "milk the cow", "100% done_"]
    ids = [
        owner.rest("POST", "/", {"task": title, "description": f"No {title[0]}"}).body["uuid"]
        for title in titles
    ]
    owner.rest("PATCH", f"/task/{ids[1]}/", {"completed": True, "description": "with a broom"})
    return owner


async def _titles(socket: Socket, **query: object) -> list[str]:
    frame = await socket.ask({"mode": "all", **query})
    assert frame["type"] == "task.update", frame
    return [task["task"] for task in frame["task"]]


async def test_without_options_it_is_everything_oldest_first(system: System, owner: Account) -> None:
    async with connected(system, owner.access) as socket:
        frame = await socket.ask({"mode": "all", "id": 1})
    assert list(frame) == ["type", "mode", "task", "seq", "id"]
    assert (frame["type"], frame["mode"], frame["seq"]) == ("task.update", "all", 6)
    assert [list(task) for task in frame["task"]] == [TASK_KEYS] * 5
    assert frame["task"] == owner.rest("GET", "/").body
    created = [task["time_created"] for task in frame["task"]]
    assert created == sorted(created)


async def test_of_nothing_it_is_an_empty_list(system: System, account: Account) -> None:
    async with connected(system, account.access) as socket:
        assert await socket.ask({"mode": "all"}) == {
            "type": "task.update",
            "mode": "all",
            "task": [],
            "seq": 0,
        }


async def test_completed(system: System, owner: Account) -> None:
    async with connected(system, owner.access) as socket:
        assert await _titles(socket, completed=True) == ["straße fegen"]
        assert len(await _titles(socket, completed=False)) == 4


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("milk", ["Buy MILK", "milk the cow"]),
        ("STRASSE", ["straße fegen"]),
        ("élodie", ["call Élodie"]),
        ("broom", ["straße fegen"]),
        ("cow milk", ["milk the cow"]),
        ("cow,milk", ["milk the cow"]),
        ('"the cow" milk', ["milk the cow"]),
        ("'cow milk'", []),
        ("%", ["100% done_"]),
        ("_", ["100% done_"]),
        ("no such", []),
        ("", ["Buy MILK", "straße fegen", "call Élodie", "milk the cow", "100% done_"]),
    ],
)
async def test_search_looks_into_both_texts_in_any_case(
    system: System, owner: Account, search: str, found: list[str]
) -> None:
    async with connected(system, owner.access) as socket:
        assert await _titles(socket, search=search) == found


async def test_ordering(system: System, owner: Account) -> None:
    async with connected(system, owner.access) as socket:
        oldest_first = await _titles(socket)
        assert await _titles(socket, ordering="time_created") == oldest_first
        assert await _titles(socket, ordering="-time_created") == oldest_first[::-1]
        assert await _titles(socket, ordering="id") == oldest_first
        assert await _titles(socket, ordering="-id") == oldest_first[::-1]
        assert (await _titles(socket, ordering="-time_modified"))[0] == "straße fegen"
        assert (await _titles(socket, ordering="time_modified"))[-1] == "straße fegen"
        assert await _titles(socket, ordering="task") == sorted(oldest_first)
        assert (await _titles(socket, ordering="completed,-time_created"))[-1] == "straße fegen"


async def test_limit_and_offset_give_a_page_and_the_count(system: System, owner: Account) -> None:
    async with connected(system, owner.access) as socket:
        frame = await socket.ask({"mode": "all", "limit": 2, "offset": 1, "id": "p"})
        assert list(frame) == ["type", "mode", "task", "seq", "count", "id"]
        assert (frame["count"], frame["seq"]) == (5, 6)
        assert [task["task"] for task in frame["task"]] == ["straße fegen", "call Élodie"]
        assert (await socket.ask({"mode": "all", "limit": 1000}))["count"] == 5
        rest: Frame = await socket.ask({"mode": "all", "offset": 4})
        assert ([task["task"] for task in rest["task"]], rest["count"]) == (["100% done_"], 5)
        beyond = await socket.ask({"mode": "all", "offset": 5})
        assert (beyond["task"], beyond["count"]) == ([], 5)


async def test_the_count_is_that_of_the_matches(system: System, owner: Account) -> None:
    async with connected(system, owner.access) as socket:
        frame = await socket.ask({"mode": "all", "search": "milk", "completed": False, "limit": 1})
        assert (len(frame["task"]), frame["count"]) == (1, 2)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("completed", "true"),
        ("completed", 1),
        ("completed", None),
        ("search", 5),
        ("search", None),
        ("search", "\0"),
        ("search", "x" * 4001),
        ("search", '\\" ' * 40_000),
        ("ordering", "nonsense"),
        ("ordering", ""),
        ("ordering", 1),
        ("ordering", "user_id; DROP TABLE tasks"),
        ("limit", 0),
        ("limit", 1001),
        ("limit", "5"),
        ("limit", 1.5),
        ("limit", True),
        ("offset", -1),
        ("offset", 10**30),
        ("offset", "x"),
    ],
)
async def test_a_bad_option_is_an_invalid_request_that_names_it(
    system: System, owner: Account, key: str, value: object
) -> None:
    async with connected(system, owner.access) as socket:
        frame = await socket.ask({"mode": "all", key: value, "id": 3})
    assert list(frame) == ["type", "message", "code", "mode", "detail", "id"]
    assert key in frame.pop("detail")
    assert frame == {
        "type": "error",
        "message": "Invalid JSON DATA",
        "code": "invalid_request",
        "mode": "all",
        "id": 3,
    }


async def test_another_users_tasks_are_not_in_it(system: System, owner: Account, account: Account) -> None:
    async with connected(system, account.access) as socket:
        assert await _titles(socket) == []
        await create(socket, "Mine")
        assert await _titles(socket) == ["Mine"]
        await assert_nothing_more(socket)
    assert "Mine" not in [task["task"] for task in owner.rest("GET", "/").body]
