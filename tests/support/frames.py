"""Receiving frames, and what tests assert about them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, Final

from tests.support.clients import Socket

TASK_KEYS: Final = [
    "uuid",
    "user_id",
    "time_created",
    "time_modified",
    "task",
    "description",
    "completed",
    "rev",
]
Frame = dict[str, Any]


def missing_id() -> str:
    """An id that no task has."""
    return str(uuid.uuid4())


async def receive_until(socket: Socket, wanted: Callable[[Frame], bool]) -> list[Frame]:
    """The frames up to and including the first that is wanted."""
    frames: list[Frame] = []
    while not frames or not wanted(frames[-1]):
        frames.append(await socket.receive())
    return frames


async def receive_to_seq(socket: Socket, seq: int) -> list[Frame]:
    """The frames up to and including the one with this seq."""
    return await receive_until(socket, lambda frame: frame.get("seq") == seq)


async def assert_nothing_more(socket: Socket) -> None:
    """Assert that the next frame answers a ping: everything sent before it has been read."""
    answer = await socket.ask({"mode": "ping"})
    assert answer["type"] == "pong", answer


async def answer_to(socket: Socket, message: Frame) -> Frame:
    """Send a request; returns the answer, without its id. Skips the pushes before it."""
    request_id = uuid.uuid4().hex
    await socket.send({**message, "id": request_id})
    frame = (await receive_until(socket, lambda frame: frame.get("id") == request_id))[-1]
    del frame["id"]
    return frame


async def create(socket: Socket, task: str = "A task", **data: object) -> Frame:
    """Create a task over this socket; returns the answer."""
    answer = await answer_to(socket, {"mode": "create", "data": {"task": task, **data}})
    assert answer.get("mode") == "create", answer
    return answer
