"""Hints over LISTEN and NOTIFY of a real PostgreSQL, which is frozen and whose connections are cut."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from shared.metrics.catalogue import CARRIER_CONNECTED, HINTS_DROPPED
from shared.models import Change
from shared.store.postgres import notify
from shared.store.postgres.notify import NotifyCarrier
from tests.support.postgresql import postgresql
from tests.support.waiting import until


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgresql() as running:
        yield running


class Told:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.seqs: list[tuple[int, int]] = []
        self.missed = 0
        self.revocations = 0

    def on_change(self, change: Change) -> None:
        raise AssertionError("notices bring no changes")

    def on_seq(self, user_id: int, seq: int) -> None:
        self.seqs.append((user_id, seq))

    def on_missed(self, user_ids: Iterable[int] | None) -> None:
        assert user_ids is None
        self.missed += 1

    def on_revocations(self) -> None:
        self.revocations += 1


@asynccontextmanager
async def carried(url: str) -> AsyncIterator[tuple[NotifyCarrier, Told]]:
    """A carrier that is connected."""
    carrier, told = NotifyCarrier(url), Told()
    running = asyncio.create_task(carrier.run(told))
    try:
        await until(lambda: told.missed, 10, "it listens")
        yield carrier, told
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def _changes(*pairs: tuple[int, int]) -> list[Change]:
    return [Change(user_id, seq, "delete", "id", None) for user_id, seq in pairs]


async def test_all_processes_hear_who_has_changes(url: str) -> None:
    async with carried(url) as (one, of_one), carried(url) as (_, of_two):
        one.publish(_changes((1, 1), (2, 5), (1, 2)))
        one.publish_revocations()
        for told in (of_one, of_two):
            await until(lambda told=told: told.revocations == 1 and len(told.seqs) == 2, 5, "it is told")  # type: ignore[misc]
            assert told.seqs == [(1, 2), (2, 5)], "the newest of each, in one notice"


async def test_long_hints_are_parted_and_too_long_ones_say_look(url: str) -> None:
    """The server refuses a payload of 8000 bytes."""
    large = 2**62
    async with carried(url) as (one, told):
        many = [(large + number, large) for number in range(notify._USERS_MAX)]
        one.publish(_changes(*many))
        await until(lambda: len(told.seqs) == len(many), 5, "all are told")
        assert told.seqs == many
        assert told.missed == 1
        one.publish(_changes(*many, (1, 1)))
        await until(lambda: told.missed == 2, 5, "all look")
        assert len(told.seqs) == len(many)


async def test_many_commits_are_told_by_few_notices(url: str) -> None:
    """Each is heard by all processes. The first comes at once, and the last is not left out."""
    notices: list[str] = []
    stranger: Any = await asyncpg.connect(url)
    await stranger.add_listener("taskbeam", lambda *notice: notices.append(notice[-1]))
    async with carried(url) as (one, told):
        began = time.monotonic()
        for seq in range(1, 201):
            one.publish(_changes((1, seq)))
            await asyncio.sleep(0)
            if seq == 1:
                await until(lambda: told.seqs == [(1, 1)], 5, "the first is told")
        await until(lambda: told.seqs[-1] == (1, 200), 5, "the last is told")
        told_at = sum("seqs" in notice for notice in notices)
        assert 2 <= told_at <= (time.monotonic() - began) / notify._PAUSE_SECONDS + 1
    await stranger.close()


async def test_a_connection_that_is_always_busy_has_a_heartbeat(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "BEAT_SECONDS", 0.2)
    beats: list[str] = []
    stranger: Any = await asyncpg.connect(url)
    await stranger.add_listener("taskbeam", lambda *notice: beats.append(notice[-1]))
    async with carried(url) as (one, _), asyncio.TaskGroup() as tasks:

        async def write() -> None:
            for seq in itertools.count(1):
                one.publish(_changes((1, seq)))
                await asyncio.sleep(0.01)

        writing = tasks.create_task(write())
        await until(lambda: sum("beat" in notice for notice in beats) >= 3, 5, "it goes on")
        assert CARRIER_CONNECTED.read is not None
        assert CARRIER_CONNECTED.read()
        writing.cancel()
    await stranger.close()


async def test_connection_that_is_cut_is_made_anew(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(notify, "BEAT_SECONDS", 0.1)
    caplog.set_level(logging.WARNING)
    async with carried(url) as (one, told):
        assert CARRIER_CONNECTED.read is not None
        await until(CARRIER_CONNECTED.read, 5, "its heartbeat comes back")
        operator: Any = await asyncpg.connect(url)
        await operator.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname <> ''"
        )
        await until(lambda: "no notices of the database" in caplog.text, 5, "it says so")
        await until(lambda: "are back" in caplog.text, 10, "it says so")
        assert told.missed == 2, "what was sent meanwhile is lost"
        dropped = HINTS_DROPPED.child().value
        for payload in ("", "x", "[]", '{"seqs":1}'):
            await operator.execute("SELECT pg_notify('taskbeam', $1)", payload)
        await until(lambda: HINTS_DROPPED.child().value == dropped + 4, 5, "all were seen")
        await operator.close()
        one.publish(_changes((7, 7)))
        await until(lambda: told.seqs == [(7, 7)], 5, "it is told")
        assert caplog.text.count("no notices of the database") == 1


async def test_server_that_is_frozen_holds_nobody_up(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The link takes bytes, and nothing comes back."""
    monkeypatch.setattr(notify, "BEAT_SECONDS", 0.1)
    monkeypatch.setattr(notify, "TIMEOUT_SECONDS", 0.5)
    caplog.set_level(logging.WARNING)
    host, port = url.partition("@")[2].partition("/")[0].split(":")
    async with (
        _link(host, int(port)) as (link_port, set_frozen),
        carried(url.replace(f":{port}/", f":{link_port}/")) as (one, told),
    ):
        set_frozen(True)
        await until(lambda: "no notices of the database" in caplog.text, 10, "it says so")
        one.publish(_changes((1, 1)))
        set_frozen(False)
        await until(lambda: "are back" in caplog.text, 10, "it says so")
        assert told.missed >= 2
        one.publish(_changes((1, 2)))
        await until(lambda: (1, 2) in told.seqs, 5, "it is told")


@asynccontextmanager
async def _link(host: str, port: int) -> AsyncIterator[tuple[int, Callable[[bool], None]]]:
    """A port that leads to the server; while it is frozen, nothing passes."""
    thawed = asyncio.Event()
    thawed.set()
    pumps: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await thawed.wait()
                writer.write(data)
        except OSError:
            pass
        finally:
            writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(host, port)
        for task in (asyncio.create_task(pump(reader, back)), asyncio.create_task(pump(there, writer))):
            pumps.add(task)
            task.add_done_callback(pumps.discard)

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    try:
        yield (
            server.sockets[0].getsockname()[1],
            lambda frozen: thawed.clear() if frozen else thawed.set(),
        )
    finally:
        server.close()
        for task in pumps:
            task.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
