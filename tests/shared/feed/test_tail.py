"""The change feed: one ordered stream, whoever wrote; own commits at once, others' promptly, and nothing twice."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from shared.feed import tail
from shared.feed.tail import LogTail, open_tail
from shared.models import Change, CreateTask, Revocation
from shared.store import Store
from shared.store.sqlite.store import SqliteStore
from tests.shared.feed.heard import Heard
from tests.shared.store.owner import READING, Owner, new_owner
from tests.shared.store.sqlite.engine import url_of
from tests.shared.store.sqlite.sqlite_file import as_sqlite
from tests.support.stores import open_store


class Process:
    """A store and a feed, as one process has them."""

    def __init__(self, store: SqliteStore, feed: LogTail) -> None:
        self.store = store
        self.feed = feed
        self.heard = Heard(feed)

    async def be_paused(self) -> None:
        self.heard.wanted = ()
        self.feed.look()
        async with asyncio.timeout(10):
            while not self.feed._paused:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.001)


@asynccontextmanager
async def process(folder: Path) -> AsyncIterator[Process]:
    async with (
        open_store(url_of(folder / "taskbeam.db")) as store,
        open_tail(as_sqlite(store), folder / "wake", "test") as feed,
    ):
        yield Process(as_sqlite(store), feed)


@pytest.fixture
def no_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is heard then was called."""
    monkeypatch.setattr(tail, "POLL_SECONDS", 3600.0)


async def _write(store: Store, owner: Owner, count: int = 1) -> list[Change]:
    written = await owner.batch(*[CreateTask(None, "a")] * count)
    return [result.change for result in written if result.change is not None]


@pytest.mark.usefixtures("no_poll")
async def test_own_commit_is_heard_before_its_caller_is_answered(tmp_path: Path) -> None:
    async with process(tmp_path) as one:
        owner = await new_owner(one.store)
        for count in (1, 3, 1):
            changes = await _write(one.store, owner, count)
            assert one.heard.changes[-count:] == changes


@pytest.mark.usefixtures("no_poll")
async def test_commit_of_another_process_is_heard_when_it_calls(tmp_path: Path) -> None:
    async with process(tmp_path) as one, process(tmp_path) as two:
        owner = await new_owner(one.store)
        changes: list[Change] = []

        def all_heard() -> bool:
            return two.heard.changes == changes

        for _ in range(5):
            changes += await _write(one.store, owner)
            assert await two.heard.until(all_heard) < 0.5


async def test_commit_of_another_process_is_heard_without_a_call(tmp_path: Path) -> None:
    async with process(tmp_path) as one, process(tmp_path) as two:
        for name in os.listdir(tmp_path / "wake"):
            os.unlink(tmp_path / "wake" / name)
        owner = await new_owner(one.store)
        changes = await _write(one.store, owner)
        assert await two.heard.until(lambda: two.heard.changes == changes) < 1


async def test_both_hear_one_stream_when_both_write(tmp_path: Path) -> None:
    async with process(tmp_path) as one, process(tmp_path) as two:
        owners = [await new_owner(one.store) for _ in range(3)]
        start = await one.store.position()

        async def write(store: Store, number: int) -> None:
            for index in range(40):
                await _write(store, owners[(number + index) % 3], index % 3 + 1)

        await asyncio.gather(*(write((one, two)[number % 2].store, number) for number in range(6)))
        written = (await one.store.tail(start)).changes
        for owner in owners:
            assert [change for change in written if change.user_id == owner.id] == await owner.log()
        for heard in (one.heard, two.heard):
            await heard.until(lambda heard=heard: len(heard.changes) >= len(written))  # type: ignore[misc]
            assert heard.changes == written
        await asyncio.gather(*(_write(one.store, owner) for owner in owners))
        await two.heard.until(lambda: len(two.heard.changes) >= len(written) + 3)
        assert len(one.heard.changes) == len(two.heard.changes) == len(written) + 3


@pytest.mark.usefixtures("no_poll")
async def test_who_wants_no_changes_hears_none_until_they_do(tmp_path: Path) -> None:
    async with process(tmp_path) as one, process(tmp_path) as two:
        owner = await new_owner(one.store)
        await two.be_paused()
        await _write(one.store, owner, 3)
        two.heard.wanted = (0,)
        await two.feed.resume(0)
        [change] = await _write(one.store, owner)
        await two.heard.until(lambda: bool(two.heard.changes))
        assert two.heard.changes == [change]
        [another] = await _write(one.store, owner)
        assert await two.heard.until(lambda: another in two.heard.changes) < 0.5, "it is called again"


async def test_revocations_are_heard_where_nobody_wants_changes(tmp_path: Path) -> None:
    async with process(tmp_path) as one, process(tmp_path) as two:
        owner = await new_owner(one.store)
        await two.be_paused()
        await _write(one.store, owner)
        await one.store.set_password(owner.user, "another", READING)
        assert await two.heard.until(lambda: bool(two.heard.revocations)) < 1
        assert two.heard.changes == []


@pytest.mark.usefixtures("no_poll")
async def test_own_commits_are_heard_from_when_they_are_wanted(tmp_path: Path) -> None:
    """What another process wrote before, and nobody wanted, is no gap."""
    async with process(tmp_path) as one, process(tmp_path) as two:
        owner = await new_owner(one.store)
        await two.be_paused()
        await _write(one.store, owner)
        await _write(two.store, owner)
        assert two.heard.changes == []
        two.heard.wanted = (0,)
        await two.feed.resume(0)
        changes = await _write(two.store, owner) + await _write(two.store, owner)
        await two.heard.until(lambda: len(two.heard.changes) >= 2)
        assert two.heard.changes == changes


async def test_feed_begins_now(tmp_path: Path) -> None:
    async with process(tmp_path) as one:
        owner = await new_owner(one.store)
        await _write(one.store, owner, 5)
        async with process(tmp_path) as two:
            [change] = await _write(one.store, owner)
            await two.heard.until(lambda: bool(two.heard.changes))
            assert two.heard.changes == [change]


async def test_long_log_is_read_to_its_end(tmp_path: Path) -> None:
    """More than a page of the tail, written while nobody looked."""
    async with open_store(url_of(tmp_path / "taskbeam.db")) as writer, process(tmp_path) as two:
        owner = await new_owner(writer)
        for _ in range(25):
            await _write(writer, owner, 100)
        two.feed.look()
        await two.heard.until(lambda: len(two.heard.changes) >= 2500)
        assert [change.seq for change in two.heard.changes] == list(range(1, 2501))


@pytest.mark.usefixtures("no_poll")
async def test_revocations_are_heard_by_both_once(tmp_path: Path) -> None:
    async with process(tmp_path) as one, process(tmp_path) as two:
        owner = await new_owner(one.store)
        await owner.begin("sid")
        await owner.end("sid")
        await one.store.set_password(owner.user, "another", READING)
        await one.store.delete_user(msgspec.structs.replace(owner.user, password="another"), READING)
        expected = [Revocation(owner.id, "sid"), Revocation(owner.id, None), Revocation(owner.id, None)]
        for heard in (one.heard, two.heard):
            await heard.until(lambda heard=heard: len(heard.revocations) >= 3)  # type: ignore[misc]
            assert heard.revocations == expected


async def test_changes_around_those_of_a_deleted_user_are_heard(tmp_path: Path) -> None:
    async with process(tmp_path) as one, open_store(url_of(tmp_path / "taskbeam.db")) as other:
        owner, gone = await new_owner(one.store), await new_owner(one.store)
        await _write(other, gone, 3)
        await other.delete_user(gone.user, READING)
        [change] = await _write(one.store, owner)
        await one.heard.until(lambda: change in one.heard.changes)
        assert one.heard.changes[-1] == change
        assert len({(heard.user_id, heard.seq) for heard in one.heard.changes}) == len(one.heard.changes)
