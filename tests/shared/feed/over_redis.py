"""Stores with feeds over Redis or Valkey, as processes have them, and what tests do with two of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from shared.feed.fan_out import FanOut, open_fan_out
from shared.feed.redis_carrier import RedisCarrier
from shared.models import Change, CreateTask
from tests.shared.feed.heard import Heard
from tests.shared.feed.sqlite_source import SqliteSource
from tests.shared.store.owner import Owner, new_owner
from tests.shared.store.sqlite.engine import url_of
from tests.shared.store.sqlite.sqlite_file import as_sqlite
from tests.support.stores import open_store


class Process:
    """A store of its own and a feed over Valkey, as one process on one host has them."""

    def __init__(self, source: SqliteSource, feed: FanOut) -> None:
        self.source = source
        self.store = source.store
        self.feed = feed
        self.heard = Heard(feed)

    def seqs(self, user_id: int) -> list[int]:
        return [change.seq for change in self.heard.changes if change.user_id == user_id]

    def has(self, changes: list[Change]) -> bool:
        """Whether it has heard of these, the last of which comes last."""
        return changes[-1] in self.heard.changes


@asynccontextmanager
async def process(folder: Path, url: str, *user_ids: int) -> AsyncIterator[Process]:
    async with open_store(url_of(folder / "taskbeam.db")) as store:
        source = SqliteSource(as_sqlite(store))
        carrier = RedisCarrier(url, store.epoch)
        async with open_fan_out(source, carrier) as feed:
            each = Process(source, feed)
            each.heard.wanted = user_ids
            for user_id in user_ids:
                await feed.resume(user_id)
            yield each


async def write(writer: Process, owner: Owner, count: int = 1) -> list[Change]:
    written = await Owner(writer.store, owner.user).batch(*[CreateTask(None, "a")] * count)
    return [result.change for result in written if result.change is not None]


async def until_hints_arrive(writer: Process, reader: Process, owner: Owner) -> None:
    """The reader's subscription is confirmed, and a change comes by it."""
    async with asyncio.timeout(20):
        while True:
            read = reader.source.reads
            began = time.monotonic()
            [change] = await write(writer, owner)
            await reader.heard.until(lambda change=change: change in reader.heard.changes)  # type: ignore[misc]
            if reader.source.reads == read and time.monotonic() - began < 0.5:
                return


async def owner_in(folder: Path) -> Owner:
    async with open_store(url_of(folder / "taskbeam.db")) as store:
        return await new_owner(store)


async def write_through(fault_ends: asyncio.Event, one: Process, two: Process, owner: Owner) -> None:
    """Write on both sides until the fault is over and hints come again; then compare."""
    slowest = 0.0
    while not fault_ends.is_set():
        for writer in (one, two):
            began = time.monotonic()
            await write(writer, owner)
            slowest = max(slowest, time.monotonic() - began)
        await asyncio.sleep(0.005)
    assert slowest < 0.9, "no writer waits for the broker"
    await until_hints_arrive(one, two, owner)
    await until_hints_arrive(two, one, owner)
    seq = await one.store.seq(owner.id)
    for each in (one, two):
        await each.heard.until(lambda each=each: len(each.seqs(owner.id)) >= seq)  # type: ignore[misc]
        assert each.seqs(owner.id) == list(range(1, seq + 1)), "each once, in order, without a gap"
