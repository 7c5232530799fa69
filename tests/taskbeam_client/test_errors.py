"""Errors that travel: copied, pickled, and raised again and again."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
import traceback
from typing import Any

import pytest

import taskbeam_client
from taskbeam_client import (
    Backoff,
    ClientDefect,
    Conflict,
    Invalid,
    NotFound,
    Refused,
    Task,
    TaskbeamClient,
    TaskbeamClientError,
    Unreachable,
)
from taskbeam_client.errors import copy_to_raise
from tests.support.ports import free_port

TIME = "2026-01-01T00:00:00.000000Z"
TASK = Task("uuid-1", 1, TIME, TIME, "Milk", "", False, 4)
MADE: dict[type[TaskbeamClientError], TaskbeamClientError] = {
    ClientDefect: ClientDefect("bad", 4003),
    Conflict: Conflict(TASK),
    Invalid: Invalid({"task": ["bad", "very"]}),
    NotFound: NotFound("id-1"),
    Refused: Refused({"code": "limit_reached", "message": "No."}),
    Unreachable: Unreachable("away", perhaps_done=True),
}
ALL = [
    value
    for value in vars(taskbeam_client).values()
    if isinstance(value, type) and issubclass(value, TaskbeamClientError)
]


@pytest.mark.parametrize("kind", ALL)
def test_each_can_be_copied_and_pickled(kind: type[TaskbeamClientError]) -> None:
    error = MADE.get(kind) or kind("a reason")
    for again in (copy.copy(error), copy.deepcopy(error), pickle.loads(pickle.dumps(error))):
        assert type(again) is kind
        assert str(again) == str(error) != ""
        assert vars(again) == vars(error)


class Stubborn(Exception):
    """One of a token provider's that is not made to be copied."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__("stubborn")


@pytest.mark.parametrize("error", [LookupError("no key in the ring"), Stubborn(1, 2)])
async def test_the_error_that_ended_a_client_is_raised_again(error: Exception) -> None:
    async def broken() -> str:
        raise error

    client = TaskbeamClient(f"ws://127.0.0.1:{free_port()}/", broken)
    stream = client.changes()

    async def body() -> None:
        async with client:
            await client.ready()

    with pytest.raises(type(error)):
        await body()
    lengths = set()
    for _ in range(50):
        for use in (client.ready, stream.__anext__):
            with pytest.raises(type(error), match=str(error)) as raised:
                await use()
            lengths.add(len(traceback.extract_tb(raised.value.__traceback__)))
        with pytest.raises(type(error)):
            client.create("Too late")
    assert max(lengths) < 10


def test_an_error_raised_again_keeps_the_cause() -> None:
    error = ClientDefect("bad")
    error.__cause__ = KeyError("epoch")
    again = copy_to_raise(error)
    assert again is not error
    assert again.__cause__ is error.__cause__


async def test_writes_that_nobody_waits_for_are_one_line_at_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def offline() -> str:
        raise OSError("away")

    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    async with TaskbeamClient(f"ws://127.0.0.1:{free_port()}/", offline, backoff=Backoff(5)) as client:
        for number in range(100):
            client.create(f"Task {number}")
        kept = client.create("Waited for")
        client.create("Withdrawn").cancel()
    with pytest.raises(taskbeam_client.ClientClosed):
        await kept
    del client
    gc.collect()
    assert complaints == []
    lines = [record.getMessage() for record in caplog.records if "writes" in record.getMessage()]
    assert lines == ["the client ends, and 101 of its writes have no outcome: the client was closed"]
