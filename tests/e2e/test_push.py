"""Pushes: each change to each socket of its user, once, from whichever transport and worker."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.support.clients import Account, Socket, connected, new_account
from tests.support.frames import Frame, assert_nothing_more, create, receive_to_seq, receive_until
from tests.support.processes import System
from tests.support.workers import on_every_worker


async def test_a_change_over_rest_reaches_both_sockets(system: System, account: Account) -> None:
    async with connected(system, account.access) as first, connected(system, account.access) as second:
        created = account.rest("POST", "/", {"task": "From REST"}).body
        path = f"/task/{created['uuid']}/"
        updated = account.rest("PATCH", path, {"completed": True}).body
        assert account.rest("DELETE", path).status == 204
        for socket in (first, second):
            frames = [await socket.receive() for _ in range(3)]
            assert [list(frame) for frame in frames] == [["type", "mode", "task", "task_id", "seq"]] * 3
            common = {"type": "task.update", "task_id": created["uuid"]}
            assert frames == [
                {**common, "mode": "create", "task": created, "seq": 1},
                {**common, "mode": "update", "task": updated, "seq": 2},
                {**common, "mode": "delete", "task": {"message": "Task deleted!"}, "seq": 3},
            ]
            await assert_nothing_more(socket)


async def test_the_answer_is_the_push_with_the_requests_id(system: System, account: Account) -> None:
    async with connected(system, account.access) as first, connected(system, account.access) as second:
        answer = await first.ask({"mode": "create", "data": {"task": "x"}, "id": "mine"})
        push = await second.receive()
        assert answer == {**push, "id": "mine"}
        assert "id" not in push
        await assert_nothing_more(first)
        await assert_nothing_more(second)


async def test_a_batch_over_rest_is_pushed_as_single_changes(system: System, account: Account) -> None:
    async with connected(system, account.access) as socket:
        ops = [{"mode": "create", "data": {"task": str(number)}} for number in range(5)]
        results = account.rest("POST", "/batch/", {"ops": ops}).body["results"]
        assert [await socket.receive() for _ in ops] == results
        await assert_nothing_more(socket)


async def test_what_changes_nothing_is_not_pushed(system: System, account: Account) -> None:
    async with connected(system, account.access) as socket:
        task = (await create(socket))["task"]
        path = f"/task/{task['uuid']}/"
        assert account.rest("POST", "/", {"task": ""}).status == 400
        assert account.rest("POST", "/", {"task": "x", "uuid": task["uuid"]}).status == 200
        assert account.rest("PATCH", path, {"task": "x"}, If_Match='"9"').status == 412
        assert account.rest("GET", path).status == 200
        await assert_nothing_more(socket)


async def test_another_users_socket_gets_nothing(system: System, account: Account) -> None:
    other_user = new_account(system)
    async with connected(system, account.access) as mine, connected(system, other_user.access) as theirs:
        await create(mine)
        account.rest("POST", "/", {"task": "x"})
        await receive_to_seq(mine, 2)
        await assert_nothing_more(theirs)


async def test_a_socket_that_is_not_authenticated_gets_nothing(system: System, account: Account) -> None:
    async with connected(system, account.access) as mine, connected(system) as nobody:
        await create(mine)
        assert (await nobody.ask({"type": "auth"}))["code"] == "token_missing"


async def test_workers_get_each_others_changes(two_worker_system: System) -> None:
    account = new_account(two_worker_system)
    async with on_every_worker(two_worker_system, account.access) as (first, second):
        answer = await first.ask({"mode": "create", "data": {"task": "x"}, "id": 1})
        assert await second.receive() == {key: value for key, value in answer.items() if key != "id"}
        task_id = answer["task_id"]
        answer = await second.ask({"mode": "delete", "task_id": task_id, "id": 2})
        assert await first.receive() == {key: value for key, value in answer.items() if key != "id"}
        account.rest("POST", "/", {"task": "From REST"})
        assert [(await socket.receive())["seq"] for socket in (first, second)] == [3, 3]
        for socket in (first, second):
            await assert_nothing_more(socket)


async def test_a_push_over_workers_is_quick(two_worker_system: System) -> None:
    account = new_account(two_worker_system)
    async with on_every_worker(two_worker_system, account.access) as (first, second):
        taken = []
        for _ in range(20):
            started = time.monotonic()
            await first.send({"mode": "create", "data": {"task": "x"}})
            await second.receive()
            taken.append(time.monotonic() - started)
            await first.receive()
    assert sorted(taken)[10] < 0.1, taken  # far from the half second of a lost wake-up


async def test_answers_and_pushes_have_one_order(system: System, account: Account) -> None:
    """Each change follows the one before, and an answer at seq N comes after N and before N + 1."""

    async def write() -> None:
        async with connected(system, account.access, push=False) as writer:
            for number in range(100):
                await create(writer, f"Task {number}")

    async with connected(system, account.access) as socket, asyncio.TaskGroup() as tasks:
        tasks.create_task(write())
        tasks.create_task(write())
        at = 0
        for request_id in range(60):
            at = await _ask_in_between(socket, request_id, at)
        if at < 215:
            await receive_to_seq(socket, 215)


async def _ask_in_between(socket: Socket, request_id: int, at: int) -> int:
    """One request while others write; returns how far the stream has come with its answer."""
    messages: list[Frame] = [
        {"mode": "all"},
        {"mode": "ping"},
        {"mode": "create", "data": {"task": "mine"}},
        {"mode": "sync", "epoch": socket.auth["epoch"], "since": at},
    ]
    message = {**messages[request_id % 4], "id": request_id}
    await socket.send(message)
    *pushes, answer = await receive_until(socket, lambda frame: frame.get("id") == request_id)
    assert [push["seq"] for push in pushes] == list(range(at + 1, at + 1 + len(pushes)))
    at += len(pushes)
    match message["mode"]:
        case "all":
            assert (answer["seq"], len(answer["task"])) == (at, at)
        case "ping":
            assert answer["seq"] == at
        case "create":
            assert answer["seq"] == at + 1
        case "sync":
            assert answer["seq"] >= at
            seqs = [change["seq"] for change in answer["changes"]]
            assert seqs == list(range(message["since"] + 1, answer["seq"] + 1))
    seq: int = answer["seq"]
    return seq


@pytest.mark.parametrize("mode", ["batch", "all"])
async def test_a_client_that_disconnects_right_after_a_request_harms_no_other(
    system: System, account: Account, mode: str
) -> None:
    async with connected(system, account.access) as socket:
        for _ in range(10):
            async with connected(system, account.access) as client:
                ops = [{"mode": "create", "data": {"task": "x"}}]
                await client.send({"mode": mode, "ops": ops})
        await create(socket)
    listed = account.rest("GET", "/")
    assert listed.headers["X-Taskbeam-Seq"] == str(len(listed.body))
