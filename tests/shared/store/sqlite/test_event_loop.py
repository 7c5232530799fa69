"""What is done on the event loop itself, and what is left to threads because it may take long or have to wait."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest

from shared.errors import NotFound, Unavailable
from shared.models import CreateTask
from shared.store import Store
from shared.store.sqlite import group_commit
from shared.store.sqlite.readers import Read
from tests.shared.store.children import child
from tests.shared.store.owner import MISSING, NOW, READING, Owner
from tests.shared.store.sqlite.engine import SqliteEngine
from tests.shared.store.sqlite.programs import hold_lock
from tests.shared.store.sqlite.sqlite_file import inline_connection, inline_reader_of, on_writer_connection

BOUND = 10.0


# Reads


async def test_reads_of_one_turn_share_a_snapshot(owner: Owner) -> None:
    task = await owner.create()
    seen: list[str] = []
    inline_connection(owner.store).set_trace_callback(seen.append)
    await asyncio.gather(*(owner.read(task.uuid) for _ in range(100)), *(owner.seq() for _ in range(100)))
    assert (seen.count("BEGIN"), seen.count("COMMIT")) == (1, 1)


async def test_many_reads_leave_turns_to_others(owner: Owner) -> None:
    task = await owner.create()
    seen: list[str] = []
    inline_connection(owner.store).set_trace_callback(seen.append)
    assert await asyncio.gather(*(owner.read(task.uuid) for _ in range(1000))) == [task] * 1000
    assert seen.count("COMMIT") >= 1000 / 256


def _misspell(connection: sqlite3.Connection) -> None:
    connection.execute("SELEKT")


def _raise_defect(connection: sqlite3.Connection) -> None:
    raise RuntimeError("a defect")


@pytest.mark.parametrize(
    ("defect", "error"), [(_misspell, sqlite3.OperationalError), (_raise_defect, RuntimeError)]
)
async def test_defective_read_fails_alone(owner: Owner, defect: Read[None], error: type[Exception]) -> None:
    task = await owner.create()
    outcomes = await asyncio.gather(
        owner.read(task.uuid),
        inline_reader_of(owner.store).submit(defect),
        owner.read(MISSING),
        owner.read(task.uuid),
        return_exceptions=True,
    )
    assert (outcomes[0], outcomes[3]) == (task, task)
    assert [type(outcome) for outcome in outcomes[1:3]] == [error, NotFound]
    assert not inline_connection(owner.store).in_transaction


async def test_read_that_would_have_to_wait_waits_on_a_thread(owner: Owner) -> None:
    task = await owner.create()
    busy = sqlite3.OperationalError("database is locked")
    busy.sqlite_errorcode = sqlite3.SQLITE_BUSY
    refused = 0

    def refuse(connection: sqlite3.Connection) -> None:
        nonlocal refused
        refused += 1
        raise busy

    # Beside it in the group, so that the whole group finds the database busy.
    reads = [inline_reader_of(owner.store).submit(refuse), owner.read(task.uuid), owner.seq()]
    outcomes = await asyncio.gather(*reads, return_exceptions=True)
    assert isinstance(outcomes[0], Unavailable)
    assert outcomes[1:] == [task, 1]
    assert refused == 1


async def test_reads_that_wait_while_the_reader_closes_are_answered_and_nothing_fails_after_it(
    store: Store,
) -> None:
    failures: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    reader = inline_reader_of(store)
    reads = [reader.submit(lambda plain: plain.execute("SELECT 1").fetchone()) for _ in range(1000)]
    reader.close()
    assert [read.result() for read in reads] == [(1,)] * 1000
    with pytest.raises(Unavailable):
        reader.submit(lambda plain: plain.execute("SELECT 1").fetchone())
    for _ in range(10):
        await asyncio.sleep(0)
    assert failures == []


# Writes


class Threads:
    """What the writer's connection executes, and whether on the event loop's thread."""

    def __init__(self) -> None:
        self._loop = threading.get_ident()
        self.here: list[str] = []
        self.elsewhere: list[str] = []

    async def watch(self, store: Store) -> None:
        await on_writer_connection(store, lambda plain: plain.set_trace_callback(self._see))

    def _see(self, statement: str) -> None:
        (self.here if threading.get_ident() == self._loop else self.elsewhere).append(statement)


async def test_small_write_is_done_on_the_loop_and_committed_on_a_thread(owner: Owner) -> None:
    threads = Threads()
    await threads.watch(owner.store)
    await owner.create()
    assert "BEGIN IMMEDIATE" in threads.here
    assert any(statement.startswith("INSERT INTO tasks") for statement in threads.here)
    assert "COMMIT" not in threads.here, "it waits for the disk"
    assert threads.elsewhere == ["COMMIT"]


async def test_large_write_and_account_work_are_not_done_on_the_loop(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "_INLINE_MAX", 10)
    threads = Threads()
    await threads.watch(owner.store)
    await owner.write(*[CreateTask(None, "a")] * 11)
    await owner.store.add_user("new", "new", "hash", NOW)
    await asyncio.gather(owner.create(), owner.store.set_password(owner.user, "another", READING))
    assert threads.here == []
    assert threads.elsewhere.count("COMMIT") == 3
    await owner.write(*[CreateTask(None, "a")] * 10)
    assert threads.here != []


async def test_loop_does_not_wait_for_the_write_lock(owner: Owner, path: Path) -> None:
    threads = Threads()
    await threads.watch(owner.store)
    async with child(hold_lock, path) as holder:
        await holder.ready()
        writers = [asyncio.create_task(owner.create()) for _ in range(5)]
        async with asyncio.timeout(2):
            for _ in range(50):
                await owner.seq()
                await asyncio.sleep(0.001)
        assert not any(writer.done() for writer in writers)
        holder.start()
        await asyncio.wait_for(asyncio.gather(*writers), BOUND)
    assert threads.here == []
    await owner.create()
    assert threads.here != []
    assert await owner.seq() == 6


async def test_loop_does_not_wait_for_another_programs_transaction(owner: Owner, path: Path) -> None:
    """Somebody's shell, which knows nothing of our lock."""
    with closing(sqlite3.connect(path, isolation_level=None)) as shell:
        shell.execute("BEGIN IMMEDIATE")
        writer = asyncio.create_task(owner.create())
        async with asyncio.timeout(2):
            for _ in range(50):
                assert await owner.seq() == 0
                await asyncio.sleep(0.001)
        assert not writer.done()
        shell.execute("COMMIT")
        await asyncio.wait_for(writer, BOUND)
    assert await owner.seq() == 1


async def test_write_without_room_fails_and_releases_the_lock(engine: SqliteEngine, owner: Owner) -> None:
    def limit(pages: int) -> Read[object]:
        return lambda plain: plain.execute(f"PRAGMA max_page_count = {pages}").fetchone()

    await on_writer_connection(owner.store, limit(1))  # as many as there are
    with pytest.raises(Unavailable):
        await owner.write(CreateTask(None, "a", "d" * 10_000))
    await on_writer_connection(owner.store, limit(1_000_000))
    async with engine.open() as second:
        await asyncio.wait_for(Owner(second, owner.user).create("theirs"), 2)
    await owner.create("ours")
    assert [task.task for task in await owner.tasks()] == ["theirs", "ours"]
    await engine.assert_sound()


async def test_defect_in_a_write_that_was_begun_here_fails_alone(engine: SqliteEngine, owner: Owner) -> None:
    """Whatever it is: the transaction has ended, the lock is free, and the neighbours are written."""
    outcomes = await asyncio.gather(
        owner.create("before"),
        owner.write(CreateTask(None, cast("Any", object()))),
        owner.create("after"),
        return_exceptions=True,
    )
    assert isinstance(outcomes[1], TypeError)
    assert await owner.tasks() == [outcomes[0], outcomes[2]]
    await engine.assert_sound()
