"""Both processes write at once, also while clients disconnect."""

from __future__ import annotations

import asyncio
import json
import socket
import struct

import aiohttp

from tests.support.clients import Account, Rest, check_response, connected, new_account
from tests.support.frames import Frame, answer_to, create
from tests.support.processes import System
from tests.support.raw_websocket import raw_socket

CLIENTS = 8  # on each transport
WRITES = 125  # of each client


def _changes(rest: Rest) -> list[Frame]:
    """The whole log of a user."""
    listed = rest("GET", "/")
    epoch, changes = listed.headers["X-Taskbeam-Epoch"], []
    more, since = True, 0
    while more:
        page = rest("GET", f"/changes/?epoch={epoch}&since={since}").body
        changes += page["changes"]
        more, since = page["more"], page["seq"]
    return changes


async def _rest_client(system: System, account: Account) -> None:
    headers = {"Authorization": f"Bearer {account.access}"}
    async with aiohttp.ClientSession(system.rest_url, headers=headers) as session:
        task_id = ""
        for number in range(WRITES):
            if number % 2 == 0:
                async with session.post("/", json={"task": f"REST {number}"}) as response:
                    await check_response(response)
                    assert response.status == 201, await response.text()
                    task_id = (await response.json())["uuid"]
            else:
                async with session.put(f"/task/{task_id}/", json={"completed": True}) as response:
                    await check_response(response)
                    assert response.status == 200, await response.text()


async def _socket_client(system: System, account: Account) -> None:
    async with connected(system, account.access, push=False) as client:
        task_id = ""
        for number in range(WRITES):
            if number % 2 == 0:
                task_id = (await create(client, f"WS {number}"))["task_id"]
            else:
                answer = await client.ask({"mode": "update", "task_id": task_id, "data": {"completed": True}})
                assert answer["type"] == "task.update", answer


async def test_two_thousand_writes_at_once_leave_no_error_and_no_gap(two_worker_system: System) -> None:
    accounts = [new_account(two_worker_system) for _ in range(4)]
    async with asyncio.TaskGroup() as tasks:
        for number in range(CLIENTS):
            tasks.create_task(_rest_client(two_worker_system, accounts[number % 4]))
            tasks.create_task(_socket_client(two_worker_system, accounts[number % 4]))
    for account in accounts:
        expected = 2 * CLIENTS * WRITES // 4
        changes = _changes(account.rest)
        assert [change["seq"] for change in changes] == list(range(1, expected + 1))
        listed = account.rest("GET", "/").body
        async with connected(two_worker_system, account.access) as client:
            assert client.auth["seq"] == expected
            assert (await client.ask({"mode": "all"}))["task"] == listed
        latest = {change["task_id"]: change["task"] for change in changes}
        assert {task["uuid"]: task for task in listed} == latest


def _disconnect_over_rest(system: System, account: Account, number: int) -> None:
    """Send a complete request and close at once, every second time with a reset."""
    body = json.dumps({"task": f"Gone {number}"}).encode()
    head = (
        f"POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {account.access}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", system.gateway.port), timeout=10) as connection:
        if number % 2:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sendall(head.encode() + body)


def _disconnect_over_websocket(system: System, account: Account, number: int) -> None:
    with raw_socket(system, account.access) as raw:
        if number % 2:
            raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for part in range(3):
            raw.send_json({"mode": "create", "data": {"task": f"Gone {number} {part}"}})


async def test_clients_that_disconnect_during_writes_break_nothing(two_worker_system: System) -> None:
    account = new_account(two_worker_system)
    acknowledged: list[str] = []
    done = asyncio.Event()

    async def keep_writing() -> None:
        async with connected(two_worker_system, account.access, push=False) as client:
            while not done.is_set():
                acknowledged.append((await create(client, "Acknowledged"))["task_id"])
                answer = await asyncio.to_thread(account.rest, "POST", "/", {"task": "Acknowledged"})
                assert answer.status == 201
                acknowledged.append(answer.body["uuid"])

    def disconnect(first: int) -> None:
        for number in range(first, 300, 3):
            _disconnect_over_rest(two_worker_system, account, number)
            _disconnect_over_websocket(two_worker_system, account, number)

    async with asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(keep_writing())
        await asyncio.gather(*(asyncio.to_thread(disconnect, first) for first in range(3)))
        done.set()
        await writing

    async with connected(two_worker_system, account.access) as client:
        await create(client, "Afterwards")
        snapshot = await answer_to(
            client, {"mode": "all"}
        )  # the last of these writes may still be in progress
    changes = _changes(account.rest)
    assert [change["seq"] for change in changes] == list(range(1, len(changes) + 1))
    assert len(changes) >= snapshot["seq"]
    there = {task["uuid"]: task for task in snapshot["task"]}
    assert {change["task_id"]: change["task"] for change in changes[: snapshot["seq"]]} == there
    assert set(acknowledged) <= set(there)
    gone = [change["task"]["task"] for change in changes if change["task"]["task"].startswith("Gone")]
    assert len(gone) == len(set(gone)), "a request is carried out once at most"
