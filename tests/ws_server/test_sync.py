"""Catching up with ``sync``."""

from __future__ import annotations

import pytest

from tests.support.clients import Account, connected
from tests.support.frames import Frame, assert_nothing_more, create
from tests.support.processes import System


async def test_sync_brings_the_changes_after_the_cursor(system: System, account: Account) -> None:
    async with connected(system, account.access) as socket:
        created = await create(socket)
        task_id = created["task_id"]
        updated = await socket.ask({"mode": "update", "task_id": task_id, "data": {"completed": True}})
        await socket.ask({"mode": "delete", "task_id": task_id})
        epoch = socket.auth["epoch"]
        frame = await socket.ask({"mode": "sync", "epoch": epoch, "since": 0, "id": "s"})
        assert list(frame) == ["type", "recovered", "changes", "seq", "more", "id"]
        assert [list(change) for change in frame["changes"]] == [["seq", "mode", "task_id", "task"]] * 3
        assert frame == {
            "type": "sync",
            "recovered": True,
            "changes": [
                {"seq": 1, "mode": "create", "task_id": task_id, "task": created["task"]},
                {"seq": 2, "mode": "update", "task_id": task_id, "task": updated["task"]},
                {"seq": 3, "mode": "delete", "task_id": task_id, "task": None},
            ],
            "seq": 3,
            "more": False,
            "id": "s",
        }
        later = await socket.ask({"mode": "sync", "epoch": epoch, "since": 2})
        assert [change["seq"] for change in later["changes"]] == [3]
        assert await socket.ask({"mode": "sync", "epoch": epoch, "since": 3}) == {
            "type": "sync",
            "recovered": True,
            "changes": [],
            "seq": 3,
            "more": False,
        }


async def test_sync_comes_in_pages_of_500(system: System, account: Account) -> None:
    ops = [{"mode": "create", "data": {"task": str(number)}} for number in range(100)]
    for _ in range(11):
        account.rest("POST", "/batch/", {"ops": ops})
    async with connected(system, account.access) as socket:
        since = 0
        pages: list[Frame] = []
        while not pages or pages[-1]["more"]:
            pages.append(await socket.ask({"mode": "sync", "epoch": socket.auth["epoch"], "since": since}))
            since = pages[-1]["seq"]
        assert [(len(page["changes"]), page["seq"], page["more"]) for page in pages] == [
            (500, 500, True),
            (500, 1000, True),
            (100, 1100, False),
        ]
        assert [change["seq"] for page in pages for change in page["changes"]] == list(range(1, 1101))
        exactly: Frame = await socket.ask({"mode": "sync", "epoch": socket.auth["epoch"], "since": 600})
        assert (len(exactly["changes"]), exactly["more"]) == (500, False)
        assert (await create(socket))["seq"] == 1101


async def test_a_cursor_of_another_epoch_is_not_recovered(system: System, account: Account) -> None:
    async with connected(system, account.access) as socket:
        await create(socket)
        for epoch in ("another", "", socket.auth["epoch"].upper() + "x"):
            frame = await socket.ask({"mode": "sync", "epoch": epoch, "since": 0, "id": 1})
            assert list(frame) == ["type", "recovered", "reason", "epoch", "seq", "id"]
            assert frame == {
                "type": "sync",
                "recovered": False,
                "reason": "epoch_changed",
                "epoch": socket.auth["epoch"],
                "seq": 1,
                "id": 1,
            }


@pytest.mark.parametrize("since", [2, 2**53, 2**63 - 1])
async def test_a_cursor_from_the_future_is_not_recovered(
    system: System, account: Account, since: int
) -> None:
    async with connected(system, account.access) as socket:
        await create(socket)
        assert await socket.ask({"mode": "sync", "epoch": socket.auth["epoch"], "since": since}) == {
            "type": "sync",
            "recovered": False,
            "reason": "seq_unknown",
            "epoch": socket.auth["epoch"],
            "seq": 1,
        }
        assert (await create(socket))["seq"] == 2


@pytest.mark.parametrize(
    ("message", "key"),
    [
        ({"epoch": "x"}, "since"),
        ({"since": 0}, "epoch"),
        ({"epoch": None, "since": 0}, "epoch"),
        ({"epoch": 5, "since": 0}, "epoch"),
        ({"epoch": "x", "since": None}, "since"),
        ({"epoch": "x", "since": "0"}, "since"),
        ({"epoch": "x", "since": -1}, "since"),
        ({"epoch": "x", "since": 0.5}, "since"),
        ({"epoch": "x", "since": True}, "since"),
    ],
    ids=str,
)
async def test_a_malformed_cursor_is_an_invalid_request(
    system: System, account: Account, message: Frame, key: str
) -> None:
    async with connected(system, account.access) as socket:
        frame = await socket.ask({"mode": "sync", **message})
        assert (frame["code"], frame["mode"]) == ("invalid_request", "sync")
        assert key in frame["detail"]


async def test_a_reconnecting_client_misses_nothing(system: System, account: Account) -> None:
    async with connected(system, account.access) as socket:
        await create(socket)
    for number in range(5):
        account.rest("POST", "/", {"task": f"Meanwhile {number}"})
    async with connected(system, account.access) as socket:
        frame = await socket.ask({"mode": "sync", "epoch": socket.auth["epoch"], "since": 1})
        assert [change["seq"] for change in frame["changes"]] == [2, 3, 4, 5, 6]
        account.rest("POST", "/", {"task": "Live again"})
        assert (await socket.receive())["seq"] == 7
        await assert_nothing_more(socket)
