"""The write-ahead log is moved into the file when it is long, beside readers and without losing anything."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.models import CreateTask
from shared.store import Store, open_store
from shared.store import lanes as lanes_module
from tests.store.engines import engine_settings
from tests.store.owner import Owner
from tests.store.sqlite_file import assert_sound, looking_at, on_writer_connection

BOUND = 1024 * 1024
QUIET_BOUND = 400 * 1024
IDLE_SECONDS = 0.1
BIG = "d" * 10_000


@pytest.fixture
async def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    monkeypatch.setattr(lanes_module, "_CHECKPOINT_BYTES", BOUND)
    monkeypatch.setattr(lanes_module, "_QUIET_CHECKPOINT_BYTES", QUIET_BOUND)
    monkeypatch.setattr(lanes_module, "_IDLE_SECONDS", IDLE_SECONDS)
    async with open_store(engine_settings("sqlite", tmp_path)) as store:
        yield store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "taskbeam.db"


def _wal(path: Path) -> int:
    return path.with_name(path.name + "-wal").stat().st_size


async def _write(owner: Owner, bytes_: int) -> list[str]:
    written = []
    for _ in range(bytes_ // len(BIG)):
        [result] = await owner.write(CreateTask(None, "a", BIG))
        written.append(result.task.uuid)
    return written


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A reader in a transaction, as a backup or somebody's shell is for minutes."""
    with looking_at(path) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM tasks").fetchone()
        yield connection


async def test_long_log_is_emptied_and_nothing_is_lost(owner: Owner, path: Path) -> None:
    uuids: list[str] = []
    shrank = 0
    size = _wal(path)
    for _ in range(300):
        uuids += await _write(owner, len(BIG))
        shrank += _wal(path) < size
        size = _wal(path)
        assert size < 2 * BOUND
    assert shrank >= 5
    assert [task.uuid for task in await owner.tasks()] == uuids
    assert_sound(path)


async def test_short_log_is_left_alone(owner: Owner, path: Path) -> None:
    await _write(owner, 2 * len(BIG))
    size = _wal(path)
    assert 0 < size < QUIET_BOUND
    await asyncio.sleep(5 * IDLE_SECONDS)
    assert _wal(path) == size


async def test_reader_in_a_long_transaction_keeps_its_snapshot(owner: Owner, path: Path) -> None:
    before = await _write(owner, 10 * len(BIG))
    with reading(path) as reader:
        written = await _write(owner, len(BIG))
        seen = reader.execute("SELECT uuid FROM tasks ORDER BY id").fetchall()
        assert [uuid for (uuid,) in seen] == before
        assert reader.execute("SELECT count(*) FROM changes").fetchone() == (len(before),)
    assert [task.uuid for task in await owner.tasks()] == before + written


async def test_reader_in_a_long_transaction_does_not_hold_up_writers(owner: Owner, path: Path) -> None:
    """Whoever checkpoints holds the write lock: were it to wait for the reader, every process would."""
    slowest = 0.0
    with reading(path):
        for _ in range(BOUND // len(BIG)):
            began = time.monotonic()
            await _write(owner, len(BIG))
            slowest = max(slowest, time.monotonic() - began)
            if slowest > 1:
                break
    assert slowest < 1, f"a write took {slowest:.1f} s"


async def test_log_is_emptied_once_the_reader_has_gone(owner: Owner, path: Path) -> None:
    with reading(path) as reader:
        uuids = await _write(owner, BOUND)
        grown = _wal(path)
        assert reader.execute("SELECT count(*) FROM tasks").fetchone() == (0,)
    assert grown > 2 * BOUND
    uuids += await _write(owner, BOUND)
    assert _wal(path) < 2 * BOUND
    assert [task.uuid for task in await owner.tasks()] == uuids
    assert_sound(path)


async def test_log_is_emptied_in_a_quiet_moment(owner: Owner, path: Path) -> None:
    for _ in range(8):
        await _write(owner, len(BIG))
    assert QUIET_BOUND < _wal(path) < BOUND
    async with asyncio.timeout(10):
        while _wal(path) > 0:  # noqa: ASYNC110 - nothing tells that a file has shrunk
            await asyncio.sleep(0.02)
    assert_sound(path)


async def test_failing_checkpoint_does_not_fail_the_write_that_stands(
    owner: Owner, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def deny(action: int, first: str | None, *_: str | None) -> int:
        checkpoint = action == sqlite3.SQLITE_PRAGMA and first == "wal_checkpoint"
        return sqlite3.SQLITE_DENY if checkpoint else sqlite3.SQLITE_OK

    await on_writer_connection(owner.store, lambda plain: plain.set_authorizer(deny))
    uuids = await _write(owner, BOUND)
    assert "checkpoint failed" in caplog.text
    await on_writer_connection(owner.store, lambda plain: plain.set_authorizer(None))
    uuids += await _write(owner, BOUND)
    assert _wal(path) < 2 * BOUND
    assert [task.uuid for task in await owner.tasks()] == uuids


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
