"""The write-ahead log is moved into the file when it is long, beside readers and without losing anything.

Its file keeps its length; that it begins anew shows in its salts (sqlite.org/fileformat2.html#the_write_ahead_log).
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.models import CreateTask
from shared.store import Store
from shared.store.sqlite import checkpoints
from shared.store.sqlite import writer as writer_module
from tests.shared.store.children import child
from tests.shared.store.owner import Owner, new_owner
from tests.shared.store.programs import write_many, write_until_killed
from tests.shared.store.sqlite.engine import SqliteEngine
from tests.shared.store.sqlite.programs import hold_checkpoint_lock
from tests.shared.store.sqlite.sqlite_file import (
    Statements,
    assert_sound,
    group_commit_of,
    looking_at,
    on_writer_connection,
    quiet_moments,
)
from tests.support.waiting import until

BOUND = 1024 * 1024
QUIET_BOUND = 400 * 1024
IDLE_SECONDS = 0.1
BIG = "d" * 10_000
CHECKPOINT = "PRAGMA wal_checkpoint(RESTART)"


@pytest.fixture
def bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "_CHECKPOINT_BYTES", BOUND)
    monkeypatch.setattr(checkpoints, "_QUIET_CHECKPOINT_BYTES", QUIET_BOUND)
    monkeypatch.setattr(writer_module, "_QUIET_SECONDS", IDLE_SECONDS)


@pytest.fixture
def never_quiet(bounds: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a test may pause for as long as a quiet moment."""
    monkeypatch.setattr(writer_module, "_QUIET_SECONDS", 3600)


@pytest.fixture
async def store(engine: SqliteEngine, bounds: None) -> AsyncIterator[Store]:
    async with engine.open() as store:
        yield store


def _wal(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _size(path: Path) -> int:
    return _wal(path).stat().st_size


def _salts(path: Path) -> bytes:
    return _wal(path).read_bytes()[16:24]


async def _write(owner: Owner, bytes_: int) -> list[str]:
    written = []
    for _ in range(bytes_ // len(BIG)):
        [result] = await owner.write(CreateTask(None, "a", BIG))
        written.append(result.task.uuid)
    return written


def _has_all_pages(path: Path) -> bool:
    """Whether none is in the log alone."""
    with looking_at(path) as connection:
        pages, page_size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size")
        )
    whole: int = pages * page_size
    return path.stat().st_size == whole


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A reader in a transaction, as a backup or somebody's shell is for minutes."""
    with looking_at(path) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM tasks").fetchone()
        yield connection


async def test_long_log_restarts_and_nothing_is_lost(owner: Owner, path: Path) -> None:
    uuids: list[str] = []
    salts = set[bytes]()
    for _ in range(300):
        uuids += await _write(owner, len(BIG))
        salts.add(_salts(path))
        assert _size(path) < 2 * BOUND
    assert len(salts) > 5
    assert [task.uuid for task in await owner.tasks()] == uuids
    assert_sound(path)


async def test_log_is_written_over_and_not_cut(owner: Owner, path: Path) -> None:
    """To append to a file costs more than to overwrite it."""
    salts = _salts(path)
    size = 0
    while _salts(path) == salts:
        size = _size(path)
        await _write(owner, len(BIG))
    assert _size(path) >= size >= BOUND


async def test_checkpoints_are_as_rare_as_the_bound_makes_them(
    never_quiet: None, owner: Owner, path: Path
) -> None:
    statements = Statements()
    await statements.watch_writer(owner.store)
    begun = set[bytes]()
    for _ in range(200):
        await _write(owner, len(BIG))
        begun.add(_salts(path))
    assert len(begun) - 1 <= statements.count(CHECKPOINT) <= len(begun)


async def test_short_log_is_left_alone(owner: Owner, path: Path) -> None:
    statements = Statements()
    await statements.watch_writer(owner.store)
    await _write(owner, 2 * len(BIG))
    assert 0 < _size(path) < QUIET_BOUND
    await quiet_moments(owner.store, 3)
    assert statements.count(CHECKPOINT) == 0


async def test_reader_in_a_long_transaction_keeps_its_snapshot(owner: Owner, path: Path) -> None:
    before = await _write(owner, 10 * len(BIG))
    with reading(path) as reader:
        written = await _write(owner, len(BIG))
        seen = reader.execute("SELECT uuid FROM tasks ORDER BY id").fetchall()
        assert [uuid for (uuid,) in seen] == before
        assert reader.execute("SELECT count(*) FROM changes").fetchone() == (len(before),)
    assert [task.uuid for task in await owner.tasks()] == before + written


async def test_reader_in_a_long_transaction_does_not_hold_up_writers(
    never_quiet: None, owner: Owner, path: Path
) -> None:
    """Whoever checkpoints holds the write lock: were it to wait for the reader, every process would."""
    statements = Statements()
    await statements.watch_writer(owner.store)
    slowest = 0.0
    with reading(path):
        for _ in range(BOUND // len(BIG)):
            began = time.monotonic()
            await _write(owner, len(BIG))
            slowest = max(slowest, time.monotonic() - began)
            if slowest > 1:
                break
        assert 0 < statements.count(CHECKPOINT) <= _size(path) / BOUND, "one try for each such growth"
    assert slowest < 1, f"a write took {slowest:.1f} s"


async def test_log_restarts_once_the_reader_has_finished(never_quiet: None, owner: Owner, path: Path) -> None:
    with reading(path) as reader:
        uuids = await _write(owner, BOUND)
        grown, salts = _size(path), _salts(path)
        assert reader.execute("SELECT count(*) FROM tasks").fetchone() == (0,)
    assert grown > 2 * BOUND
    uuids += await _write(owner, BOUND)
    assert _salts(path) != salts
    assert _size(path) < grown + 2 * BOUND
    size = _size(path)
    uuids += await _write(owner, BOUND)
    assert _size(path) == size, "there is room in it, from its beginning on"
    assert [task.uuid for task in await owner.tasks()] == uuids
    assert_sound(path)


async def test_log_is_emptied_in_a_quiet_moment_and_then_left_alone(owner: Owner, path: Path) -> None:
    statements = Statements()
    await statements.watch_writer(owner.store)
    uuids = [written.task.uuid for written in await owner.write(*[CreateTask(None, "a", BIG)] * 20)]
    salts = _salts(path)
    assert QUIET_BOUND < _size(path) < BOUND
    await until(lambda: _has_all_pages(path), 10, "the log is emptied")
    await quiet_moments(owner.store, 3)
    size = _size(path)
    assert statements.count(CHECKPOINT) == 1
    uuids += await _write(owner, len(BIG))
    assert (_salts(path) != salts, _size(path)) == (True, size)
    assert [task.uuid for task in await owner.tasks()] == uuids
    assert_sound(path)


@pytest.mark.parametrize("busy", [False, True])
async def test_file_shrinks_once_a_long_reader_has_gone(
    owner: Owner, path: Path, monkeypatch: pytest.MonkeyPatch, busy: bool
) -> None:
    """In a quiet moment; and where there is none, with the writes that follow."""
    if busy:
        monkeypatch.setattr(writer_module, "_QUIET_SECONDS", 3600)
        monkeypatch.setattr(checkpoints, "_RETRY_SECONDS", 0.05)
    with reading(path):
        uuids = await _write(owner, 3 * BOUND)
        assert _size(path) > 4 * BOUND
    if busy:
        uuids += await _write(owner, BOUND // 2)
    await until(lambda: _size(path) < 2 * BOUND, 10, "the file shrinks")
    uuids += await _write(owner, len(BIG))
    assert [task.uuid for task in await owner.tasks()] == uuids
    assert_sound(path)


async def test_failing_checkpoint_does_not_fail_the_write_that_stands(
    never_quiet: None,
    owner: Owner,
    path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def deny(action: int, first: str | None, *_: str | None) -> int:
        checkpoint = action == sqlite3.SQLITE_PRAGMA and first == "wal_checkpoint"
        return sqlite3.SQLITE_DENY if checkpoint else sqlite3.SQLITE_OK

    salts = _salts(path)
    await on_writer_connection(owner.store, lambda plain: plain.set_authorizer(deny))
    uuids = await _write(owner, BOUND)
    failures = caplog.text.count("checkpoint failed")
    assert 0 < failures <= _size(path) / BOUND, "the next try comes when the log has grown again"
    assert _salts(path) == salts
    await on_writer_connection(owner.store, lambda plain: plain.set_authorizer(None))
    uuids += await _write(owner, BOUND)
    assert _salts(path) != salts
    assert [task.uuid for task in await owner.tasks()] == uuids
    timeout = await on_writer_connection(
        owner.store, lambda plain: plain.execute("PRAGMA busy_timeout").fetchone()
    )
    assert timeout == (checkpoints.BUSY_TIMEOUT_MS,)


async def test_another_programs_checkpoint_does_not_hold_up_every_write(
    never_quiet: None, owner: Owner, path: Path
) -> None:
    """SQLite's shell in the middle of one: then SQLite does not say how long the log is."""
    statements = Statements()
    await statements.watch_writer(owner.store)
    salts = _salts(path)
    async with child(hold_checkpoint_lock, path) as shell:
        await shell.ready()
        uuids = await _write(owner, BOUND)
        assert 0 < statements.count(CHECKPOINT) <= _size(path) / BOUND
        assert _salts(path) == salts
    uuids += await _write(owner, BOUND)
    assert _salts(path) != salts
    assert [task.uuid for task in await owner.tasks()] == uuids


async def test_log_that_other_processes_have_made_long_is_emptied_too(
    never_quiet: None, engine: SqliteEngine, owner: Owner, path: Path
) -> None:
    statements = Statements()
    await statements.watch_writer(owner.store)
    async with child(write_many, engine.url, owner.id, 8, 50) as other:
        await other.ready()
        other.start()
        assert (await other.hear())["errors"] == []
        assert _size(path) > BOUND, "its own bound is far away"
    salts = _salts(path)
    assert statements.count(CHECKPOINT) == 0
    await owner.create()
    assert statements.count(CHECKPOINT) == 1
    await owner.create()
    assert _salts(path) != salts
    assert statements.count(CHECKPOINT) == 1
    assert_sound(path)


async def test_log_that_a_predecessor_has_left_is_emptied(
    never_quiet: None, engine: SqliteEngine, path: Path
) -> None:
    async with engine.open() as store:
        owner = await new_owner(store)
    async with child(write_until_killed, engine.url, owner.id) as predecessor:
        await predecessor.ready()
        predecessor.start()
        while not _wal(path).exists() or _size(path) <= BOUND:
            await predecessor.hear()
        await predecessor.kill()
    salts = _salts(path)
    async with engine.open() as store:
        owner = Owner(store, owner.user)
        kept = await owner.seq()
        await owner.create()
        await owner.create()
        assert _salts(path) != salts
        assert await owner.seq() == kept + 2
    assert_sound(path)


async def test_short_readers_beside_checkpoints_see_whole_states(owner: Owner, path: Path) -> None:
    done = False

    async def read() -> int:
        reads = 0
        while not done:
            tasks = await owner.tasks()
            seq = await owner.seq()
            assert len(tasks) <= seq
            reads += 1
        return reads

    readers = [asyncio.create_task(read()) for _ in range(2)]
    await _write(owner, 2 * BOUND)
    done = True
    assert all(await asyncio.gather(*readers))
    assert_sound(path)


async def test_who_does_not_write_leaves_the_log_alone_while_others_do(
    never_quiet: None, engine: SqliteEngine, owner: Owner
) -> None:
    statements = Statements()
    async with engine.open() as idle:
        await statements.watch_writer(idle)
        when_quiet = group_commit_of(idle).when_quiet
        for _ in range(4):
            await _write(owner, QUIET_BOUND // 4)
            await on_writer_connection(idle, when_quiet)
        assert statements.count(CHECKPOINT) == 0
        await on_writer_connection(idle, when_quiet)
        assert statements.count(CHECKPOINT) == 1
