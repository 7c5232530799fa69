"""Frames that are not what the contract says, and connections that end as soon as they are ready."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from taskbeam_client import Backoff, ClientDefect, TaskbeamClient
from tests.support.waiting import until
from tests.taskbeam_client.test_answers import TIME, Frame, Server, client_of, told

TASK = {"uuid": "u", "user_id": 1, "time_created": TIME, "time_modified": TIME, "task": "A", "rev": 1}
CHANGE = {"type": "task.update", "mode": "create", "task_id": "u", "seq": 1}
UNLIKE_TASKS: list[Any] = [None, 7, [], {}, TASK]  # the last has no description


async def ended_by(server: Server) -> ClientDefect:
    client = client_of(server)

    async def body() -> None:
        async with client, asyncio.timeout(10):
            await client.create("A task")
            await asyncio.Event().wait()

    with pytest.raises(ClientDefect) as raised:
        await body()
    return raised.value


def answering(answer: Frame) -> Any:
    async def fault(socket: ServerConnection, request: Frame) -> Frame:
        return answer

    return fault


@pytest.mark.parametrize(
    ("mode", "answer"),
    [
        ("auth", {"type": "auth", "user_id": 1, "seq": 0}),
        ("auth", {"type": "error"}),
        ("auth", {}),
        ("all", {"type": "task.update", "mode": "all", "seq": 0}),
        ("all", {"type": "task.update", "mode": "all", "task": 7, "seq": 0}),
        ("all", {"type": "task.update", "mode": "all", "task": [TASK], "seq": 0}),  # has no description
        ("all", {"type": "task.update", "mode": "all", "task": [], "seq": 0, "count": 9}),
        ("all", {"type": "pong", "seq": 0}),
        ("all", {"type": "error", "code": "unavailable", "retry_after": "soon"}),
        ("create", {**CHANGE, "task": TASK}),
        ("create", {**CHANGE, "task": None}),
        ("create", {"type": "pong"}),
        ("create", {"type": "error", "message": "Why?"}),
        ("create", {"type": "error", "code": "validation"}),
        ("create", {"type": "error", "code": "validation", "errors": "all"}),
        ("create", {"type": "error", "code": "conflict"}),
    ],
)
async def test_an_answer_that_is_not_understood(mode: str, answer: Frame) -> None:
    async with told() as server:
        server.faults[mode] = [answering(answer)]
        if answer.get("code") == "conflict":
            server.faults["sync"] = []
        defect = await ended_by(server)
        assert defect.__cause__ is not None
        assert "not understood" in str(defect)


@pytest.mark.parametrize(
    "text",
    ["no JSON", "[]", "7", "null", '"text"', "[" * 100_000, '{"id": []}', "{" + '"a":' * 10_000]
    + [json.dumps({**CHANGE, "task": task}) for task in UNLIKE_TASKS]
    + ['{"type": "sync"}', '{"type": "auth.expiring"}', '{"type": "auth.expiring", "in": "soon"}', b"{"],
)
async def test_a_frame_that_is_not_understood(text: str | bytes) -> None:
    async with told() as server:

        async def say(socket: ServerConnection, request: Frame) -> None:
            await socket.send(text)

        server.faults["create"] = [say]
        defect = await ended_by(server)
        assert defect.__cause__ is not None
        assert len(str(defect)) < 1000


async def test_what_a_later_version_may_send_is_left_alone() -> None:
    async with told() as server:

        async def say(socket: ServerConnection, request: Frame) -> Frame:
            for frame in (
                {"type": "presence"},
                {"type": "task.update", "mode": "share", "task": None},
                {"no": "type"},
            ):
                await socket.send(json.dumps(frame))
            return {**server.answer("create", request), "new": "key"}

        server.faults["create"] = [say]
        async with client_of(server) as client, asyncio.timeout(10):
            await client.create("A task")


class Noted(Backoff):
    """How often it began anew, and how often it was asked; nobody has to wait."""

    def __init__(self, first: float, most: float) -> None:
        super().__init__(first, most)
        self.resets = 0
        self.waits = 0

    def next(self) -> float:
        super().next()
        self.waits += 1
        return 0.0

    def reset(self) -> None:
        self.resets += 1
        super().reset()


async def test_a_connection_that_ends_as_soon_as_it_is_ready_does_not_reset_the_backoff() -> None:
    async def one_token() -> str:
        return "a token"

    backoff = Noted(20.0, 60.0)
    async with told() as server:
        client = TaskbeamClient(server.url, one_token, backoff=backoff, connect_options={"proxy": None})
        async with client:
            while backoff.waits < 6:
                await client.ready()
                waits = backoff.waits
                client.drop_connection()
                await until(lambda waits=waits: backoff.waits > waits, 10, "it is gone")  # type: ignore[misc]
            await client.ready()
            assert client.statistics.connections == 7
    assert backoff.resets == 0


def test_the_backoff_restarts_after_a_long_connection() -> None:
    backoff = Noted(1.0, 8.0)
    for _ in range(3):
        backoff.next()
    backoff.lasted(7.9)
    assert backoff.resets == 0
    backoff.lasted(8.0)
    assert backoff.resets == 1
    backoff.lasted(1.0)
    assert backoff.resets == 2
