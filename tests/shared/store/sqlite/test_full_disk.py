"""No room: writes are refused whole, reads go on, and so do writes once there is room again."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from shared.errors import Unavailable
from shared.models import CreateTask, UpdateTask
from tests.shared.store.children import child
from tests.shared.store.owner import NOW, Owner
from tests.shared.store.sqlite.engine import url_of
from tests.shared.store.sqlite.programs import fill_disk
from tests.shared.store.sqlite.sqlite_file import as_sqlite, assert_sound, on_writer_connection

BIG = "d" * 10_000


async def _allow_pages(owner: Owner, more: int | None) -> None:
    """Let the file have that many pages more than now; ``None``: as many as it likes."""

    def allow(plain: sqlite3.Connection) -> None:
        pages = plain.execute("PRAGMA page_count").fetchone()[0]
        limit = pages + more if more is not None else 1_000_000
        plain.execute(f"PRAGMA max_page_count = {limit}").fetchone()

    await on_writer_connection(owner.store, allow)


async def test_write_without_room_is_refused_and_leaves_nothing(owner: Owner, path: Path) -> None:
    before = await owner.create("before")
    await _allow_pages(owner, 2)
    for operations in ([CreateTask(None, "a", BIG)], [CreateTask(None, "a", BIG)] * 20):
        with pytest.raises(Unavailable) as refused:
            await owner.write(*operations)
        assert "full" in refused.value.reason
        assert "full" not in refused.value.message, "the reason is for the log, not for clients"
    assert await owner.tasks() == [before]
    assert await owner.seq() == 1
    assert_sound(path)


async def test_every_write_of_a_group_without_room_is_answered(owner: Owner, path: Path) -> None:
    await _allow_pages(owner, 2)
    outcomes = await asyncio.wait_for(
        asyncio.gather(*(owner.write(CreateTask(None, "a", BIG)) for _ in range(50)), return_exceptions=True),
        10,
    )
    written = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert {type(outcome) for outcome in outcomes if isinstance(outcome, BaseException)} == {Unavailable}
    assert len(await owner.tasks()) == await owner.seq() == len(written)
    assert_sound(path)


async def test_reads_go_on_without_room(owner: Owner) -> None:
    task = await owner.create()
    await _allow_pages(owner, 0)
    with pytest.raises(Unavailable):
        await owner.write(CreateTask(None, "a", BIG * 10))
    assert await owner.read(task.uuid) == task
    assert await owner.tasks() == [task]
    assert len(await owner.log()) == 1
    store = as_sqlite(owner.store)
    assert (await store.tail((await store.position())._replace(changes=0))).changes
    with pytest.raises(Unavailable):
        await owner.store.ping()


async def test_writes_go_on_once_there_is_room(owner: Owner, path: Path) -> None:
    task = await owner.create()
    await _allow_pages(owner, 0)
    with pytest.raises(Unavailable):
        await owner.write(CreateTask(None, "a", BIG))
    await _allow_pages(owner, None)
    [created] = await owner.write(CreateTask(None, "a", BIG))
    await owner.store.ping()
    [updated] = await owner.write(UpdateTask(task.uuid, completed=True))
    assert [result.change.seq for result in (created, updated) if result.change] == [2, 3]
    assert_sound(path)


async def test_accounts_are_refused_as_tasks_are(owner: Owner) -> None:
    await _allow_pages(owner, 0)
    with pytest.raises(Unavailable):
        await owner.store.add_user("big", "big", "hash" * 10_000, NOW)
    assert await owner.store.user_by_key("big") is None


async def test_files_that_cannot_grow_refuse_writes_and_lose_nothing(owner: Owner, path: Path) -> None:
    """As on a real full disk: the write-ahead log itself meets the limit, in the middle of a write."""
    async with child(fill_disk, url_of(path), owner.id) as process:
        await process.ready()
        process.start()
        heard = await process.hear()
    before, after = heard["before"], heard["after"]
    assert len(before) > 5
    assert heard["readable"] == len(before) + len(heard["written_when_full"])
    assert None not in after
    acknowledged = {*before, *heard["written_when_full"], *after}
    assert {task.uuid for task in await owner.tasks()} == acknowledged
    assert_sound(path)
