"""@microsoft/fetch-event-source and event-source-polyfill: what browsers use where their own EventSource will not do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from rest_gateway import events
from rest_gateway.keys import WAITERS
from tests.npm.node import FOLDER, require_node
from tests.rest_gateway.in_process import Gateway, gateway
from tests.support.waiting import until


class _Library:
    """The events that the library's program prints."""

    def __init__(self, lines: asyncio.StreamReader) -> None:
        self._lines = lines

    async def next(self) -> Any:
        async with asyncio.timeout(20):
            return json.loads(await self._lines.readline())


@asynccontextmanager
async def _listening(library: str, served: Gateway) -> AsyncIterator[_Library]:
    program = [require_node(), str(FOLDER / "events.cjs"), library, f"http://127.0.0.1:{served.port}"]
    process = await asyncio.create_subprocess_exec(*program, served.access, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield _Library(process.stdout)
    finally:
        process.kill()
        await process.wait()


@pytest.mark.parametrize("library", ["fetch", "polyfill"])
async def test_it_gets_every_change_once_across_a_reconnection(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commented = _count_comments(monkeypatch)
    async with gateway(tmp_path) as served, _listening(library, served) as client:
        epoch, tasks = served.backend.tasks.epoch, served.backend.tasks
        assert await client.next() == "open"
        place = {"event": "ready", "id": f"{epoch}:0", "data": f'{{"epoch":"{epoch}","seq":0}}'}
        assert await client.next() == place
        await until(lambda: len(commented) >= 5, 20, "there are comments, none of which is an event")

        for waiter in served.app[WAITERS].of_user(served.user_id):
            waiter.end()  # with it the stream, on which nothing has happened yet
        await tasks.create(served.user_id, {"task": "Meanwhile"})
        assert await client.next() == "open"
        assert await client.next() == place
        change = await client.next()
        assert (change["event"], change["id"]) == ("change", f"{epoch}:1")
        assert json.loads(change["data"])["task"]["task"] == "Meanwhile"
        await tasks.create(served.user_id, {"task": "Live"})
        assert (await client.next())["id"] == f"{epoch}:2"


def _count_comments(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Send comments often; the list gets an item for each."""
    sent: list[None] = []
    send_comment = events.EventStream.send_comment

    async def count(stream: events.EventStream) -> None:
        await send_comment(stream)
        sent.append(None)

    monkeypatch.setattr(events, "COMMENT_SECONDS", 0.02)
    monkeypatch.setattr(events.EventStream, "send_comment", count)
    return sent
