"""Another process that holds the write lock, lives or dies."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path

import pytest

from shared.errors import Unavailable
from shared.store.sqlite import group_commit
from shared.store.sqlite.write_lock import WriteLock
from tests.shared.store.children import Program, child
from tests.shared.store.owner import Owner
from tests.shared.store.programs import open_one
from tests.shared.store.sqlite.engine import url_of
from tests.shared.store.sqlite.programs import hold_lock, hold_transaction
from tests.shared.store.sqlite.sqlite_file import assert_sound
from tests.support.stores import open_store


@pytest.fixture
def short_wait(monkeypatch: pytest.MonkeyPatch) -> float:
    """How long a writer waits for the lock; the default of ``held`` was bound when it was defined."""
    seconds = 0.3
    monkeypatch.setattr(WriteLock.held.__wrapped__, "__defaults__", (seconds,))  # type: ignore[attr-defined]
    return seconds


async def test_held_lock_refuses_writes_within_a_bound_and_reads_go_on(
    owner: Owner, path: Path, short_wait: float
) -> None:
    task = await owner.create("before")
    async with child(hold_lock, path) as holder:
        await holder.ready()
        began = time.monotonic()
        outcomes = await asyncio.gather(*(owner.create() for _ in range(20)), return_exceptions=True)
        waited = time.monotonic() - began
        assert {type(outcome) for outcome in outcomes} == {Unavailable}
        assert short_wait <= waited < 4 * short_wait + 1
        assert await owner.tasks() == [task]
    assert (await owner.create("after")).task == "after"
    assert await owner.seq() == 2


async def test_reads_do_not_wait_for_the_lock(owner: Owner, path: Path) -> None:
    task = await owner.create()
    async with child(hold_lock, path) as holder:
        await holder.ready()
        writer = asyncio.create_task(owner.create("waiting"))
        async with asyncio.timeout(2):
            assert await owner.tasks() == [task]
            assert await owner.read(task.uuid) == task
        assert not writer.done()
        holder.start()
        await asyncio.wait_for(writer, 5)


async def test_waiting_writer_goes_on_when_the_lock_is_given_back(owner: Owner, path: Path) -> None:
    async with child(hold_lock, path) as holder:
        await holder.ready()
        writers = [asyncio.create_task(owner.create()) for _ in range(10)]
        await asyncio.sleep(0)
        holder.start()
        await asyncio.wait_for(asyncio.gather(*writers), 5)
    assert await owner.seq() == 10


@pytest.mark.parametrize("program", [hold_lock, hold_transaction])
async def test_lock_of_a_killed_process_is_free_and_what_it_had_not_committed_is_gone(
    owner: Owner, path: Path, program: Program
) -> None:
    before = await owner.create("before")
    async with child(program, path) as holder:
        await holder.ready()
        writer = asyncio.create_task(owner.create("after"))
        await asyncio.sleep(0)
        await holder.kill()
        after = await asyncio.wait_for(writer, 5)
    assert await owner.tasks() == [before, after]
    assert await owner.seq() == 2
    assert_sound(path)


async def test_another_programs_lock_in_the_database_itself_refuses_writes(
    owner: Owner, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody's shell with an open transaction, which knows nothing of our lock."""
    monkeypatch.setattr(group_commit, "BUSY_TIMEOUT_MS", 100)
    shell = sqlite3.connect(path, isolation_level=None)
    shell.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable) as refused:
        await owner.create()
    assert "locked" in refused.value.reason
    shell.execute("ROLLBACK")
    shell.close()
    await owner.create()
    assert await owner.seq() == 1


async def test_opening_waits_for_a_migration_in_progress(path: Path) -> None:
    """The lock is what a process holds that migrates."""
    async with open_store(url_of(path)):
        pass
    async with child(hold_lock, path) as holder, child(open_one, url_of(path)) as opener:
        await holder.ready()
        await opener.ready()
        opener.start()
        hearing = asyncio.create_task(opener.hear())
        done, _ = await asyncio.wait([hearing], timeout=0.3)
        assert not done
        holder.start()
        assert list(await hearing) == ["epoch"]
