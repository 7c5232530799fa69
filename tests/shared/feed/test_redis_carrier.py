"""Hints over a real Valkey: at once while it is there, and nothing lost or late by more than a sweep while it is not."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline, PubSub

from shared.feed import fan_out, redis_carrier
from shared.feed.fan_out import open_fan_out
from shared.feed.redis_carrier import RedisCarrier
from shared.metrics.catalogue import CARRIER_CONNECTED, HINTS_DROPPED
from shared.models import Change, CreateTask, Revocation
from tests.shared.feed.heard import Heard
from tests.shared.feed.sqlite_source import SqliteSource
from tests.shared.store.owner import READING, Owner, new_owner
from tests.shared.store.sqlite.engine import url_of
from tests.shared.store.sqlite.sqlite_file import as_sqlite
from tests.support.stores import open_store
from tests.support.valkey import ValkeyServer, valkey
from tests.support.waiting import until


@pytest.fixture(scope="module")
def server() -> Iterator[ValkeyServer]:
    with valkey() as running:
        yield running


class Process:
    """A store of its own and a feed over Valkey, as one process on one host has them."""

    def __init__(self, source: SqliteSource, heard: Heard, carrier: RedisCarrier) -> None:
        self.source = source
        self.store = source.store
        self.heard = heard
        self.carrier = carrier

    def seqs(self, user_id: int) -> list[int]:
        return [change.seq for change in self.heard.changes if change.user_id == user_id]


@asynccontextmanager
async def process(folder: Path, url: str, *user_ids: int) -> AsyncIterator[Process]:
    async with open_store(url_of(folder / "taskbeam.db")) as store:
        source = SqliteSource(as_sqlite(store))
        carrier = RedisCarrier(url, store.epoch)
        async with open_fan_out(source, carrier) as feed:
            heard = Heard(feed)
            heard.wanted = user_ids
            for user_id in user_ids:
                await feed.resume(user_id)
            yield Process(source, heard, carrier)


async def _write(writer: Process, owner: Owner, count: int = 1) -> list[Change]:
    written = await Owner(writer.store, owner.user).batch(*[CreateTask(None, "a")] * count)
    return [result.change for result in written if result.change is not None]


async def _until_hints_arrive(writer: Process, reader: Process, owner: Owner) -> None:
    """The reader's subscription is confirmed, and a change comes by it."""
    async with asyncio.timeout(20):
        while True:
            read = reader.source.reads
            began = time.monotonic()
            [change] = await _write(writer, owner)
            await reader.heard.until(lambda change=change: change in reader.heard.changes)  # type: ignore[misc]
            if reader.source.reads == read and time.monotonic() - began < 0.5:
                return


async def _owner(folder: Path) -> Owner:
    async with open_store(url_of(folder / "taskbeam.db")) as store:
        return await new_owner(store)


async def test_changes_and_revocations_come_by_hints(
    tmp_path: Path, server: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fan_out, "SWEEP_SECONDS", 3600.0)
    owner = await _owner(tmp_path)
    async with process(tmp_path, server.url) as one, process(tmp_path, server.url, owner.id) as two:
        await _until_hints_arrive(one, two, owner)
        reads = two.source.reads
        for count in (1, 40, 1):
            changes = await _write(one, owner, count)
            assert await two.heard.until(lambda changes=changes: changes[-1] in two.heard.changes) < 0.5  # type: ignore[misc]
        assert two.source.reads == reads
        assert two.seqs(owner.id) == list(range(1, len(two.heard.changes) + 1))
        assert two.heard.changes == await Owner(one.store, owner.user).log()
        await one.store.set_password(owner.user, "another", READING)
        assert await two.heard.until(lambda: bool(two.heard.revocations)) < 0.9
        assert two.heard.revocations == [Revocation(owner.id, None)]


async def test_a_connection_that_ends_while_it_is_written_to_ends_no_process(
    tmp_path: Path, server: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """uvloop says so by an error of its own."""
    uses = {PubSub: ("get_message", "subscribe"), Pipeline: ("execute",)}
    closed: set[str] = set()

    def once(name: str, use: Callable[..., Any]) -> Callable[..., Any]:
        async def used(*arguments: Any, **named: Any) -> Any:
            if name not in closed:
                closed.add(name)
                raise RuntimeError("unable to perform operation on <TCPTransport closed=True>")
            return await use(*arguments, **named)

        return used

    for owner_class, names in uses.items():
        for name in names:
            monkeypatch.setattr(owner_class, name, once(name, getattr(owner_class, name)))
    owner = await _owner(tmp_path)
    async with process(tmp_path, server.url) as one, process(tmp_path, server.url, owner.id) as two:
        await _until_hints_arrive(one, two, owner)
    assert closed == {"get_message", "subscribe", "execute"}


async def _write_through(fault_ends: asyncio.Event, one: Process, two: Process, owner: Owner) -> None:
    """Write on both sides until the fault is over and hints come again; then compare."""
    slowest = 0.0
    while not fault_ends.is_set():
        for writer in (one, two):
            began = time.monotonic()
            await _write(writer, owner)
            slowest = max(slowest, time.monotonic() - began)
        await asyncio.sleep(0.005)
    assert slowest < 0.9, "no writer waits for the broker"
    await _until_hints_arrive(one, two, owner)
    await _until_hints_arrive(two, one, owner)
    seq = await one.store.seq(owner.id)
    for each in (one, two):
        await each.heard.until(lambda each=each: len(each.seqs(owner.id)) >= seq)  # type: ignore[misc]
        assert each.seqs(owner.id) == list(range(1, seq + 1)), "each once, in order, without a gap"


async def test_nothing_is_lost_while_valkey_is_frozen_and_killed(
    tmp_path: Path, server: ValkeyServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(redis_carrier, "BEAT_SECONDS", 0.2)
    monkeypatch.setattr(redis_carrier, "_TIMEOUT_SECONDS", 0.3)
    caplog.set_level(logging.WARNING)
    owner = await _owner(tmp_path)
    async with (
        process(tmp_path, server.url, owner.id) as one,
        process(tmp_path, server.url, owner.id) as two,
    ):
        await _until_hints_arrive(one, two, owner)
        ends = asyncio.Event()
        dropped = HINTS_DROPPED.child().value
        writing = asyncio.create_task(_write_through(ends, one, two, owner))
        with server.frozen():
            await until(lambda: caplog.text.count("no message broker") == 2, 20, "both say so")
            assert CARRIER_CONNECTED.read is not None
            assert CARRIER_CONNECTED.read() == 0
        await until(lambda: caplog.text.count("the message broker is back") == 2, 20, "both say so")
        assert HINTS_DROPPED.child().value > dropped
        caplog.clear()
        server.stop()
        await until(lambda: caplog.text.count("no message broker") == 2, 20, "both say so")
        server.start()
        await until(lambda: caplog.text.count("the message broker is back") == 2, 20, "both say so")
        ends.set()
        await writing
        assert "Traceback" not in caplog.text


async def test_connections_that_are_cut_are_made_anew(tmp_path: Path, server: ValkeyServer) -> None:
    owner = await _owner(tmp_path)
    async with (
        process(tmp_path, server.url, owner.id) as one,
        process(tmp_path, server.url, owner.id) as two,
        Redis.from_url(server.url) as operator,
    ):
        await _until_hints_arrive(one, two, owner)
        ends = asyncio.Event()
        writing = asyncio.create_task(_write_through(ends, one, two, owner))
        for _ in range(3):
            await operator.client_kill_filter(_type="pubsub")
            await operator.client_kill_filter(_type="normal", skipme=True)
            await asyncio.sleep(0.2)
        ends.set()
        await writing


async def test_process_starts_without_a_broker(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    owner = await _owner(tmp_path)
    nowhere = "redis://:secret-word@127.0.0.1:1"
    async with process(tmp_path, nowhere) as one, process(tmp_path, nowhere, owner.id) as two:
        changes = await _write(one, owner, 3)
        assert await two.heard.until(lambda: two.heard.changes == changes) < 2
        await until(lambda: caplog.text.count("no message broker") == 2, 5, "both say so")
        assert "secret-word" not in caplog.text


async def test_what_is_no_change_is_ignored(tmp_path: Path, server: ValkeyServer) -> None:
    owner = await _owner(tmp_path)
    async with (
        process(tmp_path, server.url) as one,
        process(tmp_path, server.url, owner.id) as two,
        Redis.from_url(server.url) as stranger,
    ):
        await _until_hints_arrive(one, two, owner)
        dropped = HINTS_DROPPED.child().value
        for data in (b"", b"\xc1", b"{}", b"\x90"):
            await stranger.publish(f"taskbeam:{one.store.epoch}:{owner.id}", data)
        await until(lambda: HINTS_DROPPED.child().value == dropped + 4, 5, "all were seen")
        await _until_hints_arrive(one, two, owner)
