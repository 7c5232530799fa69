"""What a client may have too many of: messages, connections, tasks."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

import psutil
import pytest
import websockets

from tests.support.clients import Account, Socket, connected, new_account
from tests.support.frames import Frame, create
from tests.support.processes import System
from tests.support.raw_websocket import CONTINUATION, PING, PONG, TEXT, raw_socket

BURST = 10  # twice MESSAGES_PER_SECOND


async def test_too_many_messages_are_refused_with_the_time_to_wait(low_limits_system: System) -> None:
    account = new_account(low_limits_system)
    async with connected(low_limits_system, account.access) as socket:
        for number in range(3 * BURST):
            await socket.send({"mode": "ping", "id": number})
        frames = [await socket.receive() for _ in range(3 * BURST)]
        assert [frame["id"] for frame in frames] == list(range(3 * BURST))
        answered = [frame for frame in frames if frame["type"] == "pong"]
        refused = [frame for frame in frames if frame["type"] == "error"]
        assert BURST - 1 <= len(answered) <= BURST + 2  # the auth message counts too
        assert list(refused[0]) == ["type", "message", "code", "mode", "retry_after", "id"]
        assert {(frame["code"], frame["mode"]) for frame in refused} == {("rate_limited", "ping")}
        waits = [frame["retry_after"] for frame in refused]
        assert 0 < waits[0] <= 0.2
        assert waits == sorted(waits), "each has a time of its own"
        await asyncio.sleep(waits[0])
        assert (await socket.ask({"mode": "ping"}))["type"] == "pong"


async def test_a_refused_message_is_not_carried_out(low_limits_system: System) -> None:
    account = new_account(low_limits_system)
    async with connected(low_limits_system, account.access) as socket:
        created = await create(socket)
        for _ in range(2 * BURST):
            message = {"mode": "update", "task_id": created["task_id"], "data": {"completed": True}}
            await socket.send(message)
        frames = [await socket.receive() for _ in range(2 * BURST)]
    changes = [frame for frame in frames if frame["type"] == "task.update"]
    assert len(changes) < 2 * BURST
    assert account.rest("GET", "/").headers["X-Taskbeam-Seq"] == str(1 + len(changes))


def test_a_client_that_keeps_sending_is_closed(low_limits_system: System) -> None:
    account = new_account(low_limits_system)
    with raw_socket(low_limits_system, account.access) as raw:
        for _ in range(1000 + 3 * BURST):
            raw.send_frame(TEXT, b'{"mode":"ping"}')
        assert raw.close_code() == 4029


async def test_a_client_that_waits_for_retry_after_is_not_closed(low_limits_system: System) -> None:
    """Eight loops on one connection, together refused more often than could be ignored at the same pace."""
    account = new_account(low_limits_system)
    async with connected(low_limits_system, account.access) as socket:
        answers: dict[int, asyncio.Future[Frame]] = {}

        async def loop(number: int) -> int:
            refused = 0
            for _ in range(4):
                while True:
                    answers[number] = asyncio.get_running_loop().create_future()
                    await socket.send({"mode": "ping", "id": number})
                    answer = await answers[number]
                    if answer["type"] == "pong":
                        break
                    refused += 1
                    await asyncio.sleep(answer["retry_after"])
            return refused

        async def listen() -> None:
            while True:
                frame = await socket.receive()
                answers[frame["id"]].set_result(frame)

        listening = asyncio.create_task(listen())
        refusals = await asyncio.gather(*map(loop, range(8)))
        listening.cancel()
    assert 0 < sum(refusals) <= 40, "who waits as told is hardly refused again"


@pytest.mark.parametrize("opcode", [PING, PONG])
@pytest.mark.parametrize("authenticated", [True, False], ids=["after auth", "before auth"])
def test_control_frames_count_as_messages(
    low_limits_system: System, opcode: int, authenticated: bool
) -> None:
    account = new_account(low_limits_system)
    with raw_socket(low_limits_system, account.access if authenticated else None) as raw:
        for _ in range(1000 + 3 * BURST):
            raw.send_frame(opcode, b"x" * 125)
        assert raw.close_code() == 4029


def test_fragments_of_nothing_count_as_messages(low_limits_system: System) -> None:
    with raw_socket(low_limits_system) as raw:
        raw.send_frame(TEXT, b"", final=False)
        for _ in range(1000 + 3 * BURST):
            raw.send_frame(CONTINUATION, b"", final=False)
        assert raw.close_code() == 4029


def test_pings_leave_fewer_messages(low_limits_system: System) -> None:
    account = new_account(low_limits_system)
    with raw_socket(low_limits_system, account.access) as raw:
        for _ in range(2 * BURST):
            raw.send_frame(PING, b"")
        raw.send_json({"mode": "ping"})
        while (frame := raw.receive_frame())[0] == PONG:
            pass
    assert b"rate_limited" in frame[1]


def test_pings_of_a_client_that_does_not_read_take_no_memory(system: System, account: Account) -> None:
    """Of those that wait to be answered the latest alone is: some 30 MB of pings here."""
    before = psutil.Process(system.ws.pid).memory_info().rss
    with raw_socket(system, account.access, receive_buffer=4096) as raw:
        block = (b"\x89\xfd\0\0\0\0" + b"p" * 125) * 1000
        for _ in range(230):
            raw.send(block)
        grown = psutil.Process(system.ws.pid).memory_info().rss - before
        raw.send_frame(PING, b"the last one")
        pongs = 1
        while raw.receive_frame() != (PONG, b"the last one"):
            pongs += 1
    assert grown < 8_000_000
    assert pongs < 230_000


async def test_a_user_may_have_so_many_connections(low_limits_system: System) -> None:
    account, other = new_account(low_limits_system), new_account(low_limits_system)
    async with (
        connected(low_limits_system, account.access),
        connected(low_limits_system, account.access) as second,
    ):
        async with connected(low_limits_system) as third:
            await third.send({"type": "auth", "token": account.access})
            assert await third.closed() == 4009
        async with connected(low_limits_system, other.access) as theirs:
            assert theirs.auth["user_id"] == other.id
        assert (await second.ask({"mode": "ping"}))["type"] == "pong"
        await second.connection.close()
        async with connected(low_limits_system, account.access) as again:
            assert again.auth["user_id"] == account.id


async def test_a_server_takes_so_many_connections(low_limits_system: System) -> None:
    account = new_account(low_limits_system)
    async with AsyncExitStack() as stack:
        held: list[Socket] = []
        deadline = time.monotonic() + 5  # those of other tests may be on their way out
        while len(held) < 6:
            assert time.monotonic() < deadline
            socket = await stack.enter_async_context(connected(low_limits_system))
            try:
                await socket.send({"type": "auth"})
                assert (await socket.receive())["code"] == "token_missing"
                held.append(socket)
            except websockets.ConnectionClosed:
                assert await socket.closed() == 4009
        async with connected(low_limits_system) as socket:
            assert await socket.closed() == 4009
        answer = await held[0].ask({"type": "auth", "token": account.access})
        assert answer["type"] == "auth"


async def test_a_user_may_have_so_many_tasks(low_limits_system: System) -> None:
    account = new_account(low_limits_system)
    async with connected(low_limits_system, account.access) as socket:
        tasks = [await create(socket) for _ in range(3)]
        frame = await socket.ask({"mode": "create", "data": {"task": "One more"}, "id": 4})
        assert list(frame) == ["type", "message", "code", "mode", "limit", "id"]
        assert (frame["code"], frame["limit"], frame["mode"]) == ("limit_reached", 3, "create")
        own = tasks[0]["task_id"]
        replay = await socket.ask({"mode": "create", "data": {"task": "x", "uuid": own}})
        assert replay["replayed"] is True
        await socket.ask({"mode": "delete", "task_id": own})
        assert (await create(socket))["seq"] == 5


async def test_a_batch_that_would_be_too_many_writes_nothing(low_limits_system: System) -> None:
    account = new_account(low_limits_system)
    async with connected(low_limits_system, account.access) as socket:
        ops = [{"mode": "create", "data": {"task": "x"}}] * 4
        frame = await socket.ask({"mode": "batch", "ops": ops})
        assert (frame["code"], frame["limit"], frame["op"]) == ("limit_reached", 3, 3)
        assert await socket.ask({"mode": "ping"}) == {"type": "pong", "seq": 0}


def test_rest_knows_the_same_limit(low_limits_system: System) -> None:
    account = new_account(low_limits_system)
    for _ in range(3):
        assert account.rest("POST", "/", {"task": "x"}).status == 201
    answer = account.rest("POST", "/", {"task": "x"})
    assert (answer.status, list(answer.body)) == (403, ["detail", "code", "limit"])
    assert (answer.body["code"], answer.body["limit"]) == ("limit_reached", 3)
    batch = account.rest("POST", "/batch/", {"ops": [{"mode": "create", "data": {"task": "x"}}]})
    assert (batch.status, batch.body["code"], batch.body["limit"]) == (403, "limit_reached", 3)
