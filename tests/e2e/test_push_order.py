"""Order under load: several users, both transports, two workers, all writing at once."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import aiohttp

from tests.support.clients import Account, Socket, check_response, connected, new_account
from tests.support.frames import Frame, assert_nothing_more
from tests.support.processes import System
from tests.support.workers import on_every_worker

WRITES = 40  # of each writer
WRITERS = 8  # of each user: four over REST, four over the WebSocket


async def _write_over_rest(system: System, account: Account) -> None:
    headers = {"Authorization": f"Bearer {account.access}"}
    async with aiohttp.ClientSession(system.rest_url, headers=headers) as session:
        for number in range(WRITES // 2):
            async with session.post("/", json={"task": f"REST {number}"}) as response:
                await check_response(response)
                assert response.status == 201
                task_id = (await response.json())["uuid"]
            method = ("PATCH", "DELETE")[number % 2]
            async with session.request(method, f"/task/{task_id}/", json={"completed": True}) as response:
                await check_response(response)
                assert response.status in (200, 204)


async def _write_over_socket(system: System, account: Account) -> list[Frame]:
    """All frames that the socket received, up to its last own answer."""
    received: list[Frame] = []
    async with connected(system, account.access) as socket:

        async def answer(message: Frame) -> Frame:
            await socket.send(message)
            while True:
                received.append(await socket.receive())
                if received[-1].get("id") == message["id"]:
                    return received[-1]

        for number in range(WRITES // 2):
            created = await answer({"mode": "create", "data": {"task": f"WS {number}"}, "id": 2 * number})
            change: dict[str, Any] = {"mode": "delete"} if number % 2 else {"mode": "update", "data": {}}
            await answer({**change, "task_id": created["task_id"], "id": 2 * number + 1})
        seqs = [frame["seq"] for frame in received]
        assert seqs == list(range(socket.auth["seq"] + 1, socket.auth["seq"] + 1 + len(seqs)))
        assert [frame["id"] for frame in received if "id" in frame] == list(range(WRITES))
    return received


async def _observe(socket: Socket, count: int) -> list[Frame]:
    frames = [await socket.receive() for _ in range(count)]
    await assert_nothing_more(socket)
    return frames


async def test_every_socket_gets_every_change_of_its_user_once_in_order(two_worker_system: System) -> None:
    accounts = [new_account(two_worker_system) for _ in range(3)]
    total = WRITES * WRITERS
    async with AsyncExitStack() as stack:
        observers = {
            account.id: await stack.enter_async_context(on_every_worker(two_worker_system, account.access))
            for account in accounts
        }
        async with asyncio.TaskGroup() as tasks:
            watching = {
                user: [tasks.create_task(_observe(socket, total)) for socket in sockets]
                for user, sockets in observers.items()
            }
            for account in accounts:
                for _ in range(WRITERS // 2):
                    tasks.create_task(_write_over_rest(two_worker_system, account))
                    tasks.create_task(_write_over_socket(two_worker_system, account))
    for account in accounts:
        first, second = (task.result() for task in watching[account.id])
        assert first == second
        assert [frame["seq"] for frame in first] == list(range(1, total + 1))
        owners = {frame["task"]["user_id"] for frame in first if frame["mode"] != "delete"}
        assert owners == {account.id}
        _replay_gives_the_list(first, account)


def _replay_gives_the_list(frames: list[Frame], account: Account) -> None:
    tasks: dict[str, Frame] = {}
    for frame in frames:
        if frame["mode"] == "delete":
            del tasks[frame["task_id"]]
        else:
            tasks[frame["task_id"]] = frame["task"]
    listed = account.rest("GET", "/").body
    assert {task["uuid"]: task for task in listed} == tasks


async def test_a_snapshot_and_the_pushes_after_it_make_the_whole(two_worker_system: System) -> None:
    """Clients that join in the middle of the writing lose nothing and see nothing twice."""
    account = new_account(two_worker_system)
    total = WRITES * 4

    async def join() -> None:
        async with connected(two_worker_system, account.access) as socket:
            await socket.send({"mode": "all", "id": "snapshot"})
            seq, tasks, joined = socket.auth["seq"], {}, False
            while seq < total or not joined:
                frame = await socket.receive()
                if frame["mode"] == "all":
                    assert frame["seq"] == seq
                    tasks, joined = {task["uuid"]: task for task in frame["task"]}, True
                else:
                    assert frame["seq"] == seq + 1
                    seq = frame["seq"]
                    if frame["mode"] == "delete":
                        tasks.pop(frame["task_id"], None)
                    else:
                        tasks[frame["task_id"]] = frame["task"]
            listed = (await socket.ask({"mode": "all"}))["task"]
            assert {task["uuid"]: task for task in listed} == tasks

    async with asyncio.TaskGroup() as running:
        for _ in range(2):
            running.create_task(_write_over_rest(two_worker_system, account))
            running.create_task(_write_over_socket(two_worker_system, account))
        for _ in range(10):
            running.create_task(join())
            await asyncio.sleep(0.01)  # so that they join at different moments
