"""What may be done to the files of a database that is served, and what an orderly end finds that may not."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from shared.errors import FatalError, Unavailable
from shared.store.sqlite import checkpoints, meta, open_files
from shared.store.sqlite import writer as writer_module
from shared.store.sqlite.database_path import DatabasePath
from tests.shared.store.children import child
from tests.shared.store.owner import Owner, new_owner
from tests.shared.store.programs import open_one
from tests.shared.store.sqlite.engine import url_of
from tests.shared.store.sqlite.sqlite_file import assert_sound, quiet_moments
from tests.support.stores import open_store
from tests.support.waiting import until


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "_QUIET_SECONDS", 0.02)
    monkeypatch.setattr(open_files, "_LOOK_SECONDS", 0.02)
    monkeypatch.setattr(checkpoints, "_QUIET_CHECKPOINT_BYTES", 0)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _in_shell(path: Path, *statements: str) -> None:
    """As with SQLite's own shell."""
    with closing(sqlite3.connect(path, isolation_level=None)) as shell:
        for statement in statements:
            shell.execute(statement).fetchall()


def _touch(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-lock"):
        os.utime(_beside(path, suffix))


def _change_mode(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-lock"):
        _beside(path, suffix).chmod(0o640)


def _back_up(path: Path) -> None:
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(_beside(path, ".copy"))) as target:
        source.backup(target)


def _copy(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-lock"):
        shutil.copy2(_beside(path, suffix), _beside(path, suffix + ".copy"))


def _link(path: Path) -> None:
    for suffix in ("", "-wal"):
        os.link(_beside(path, suffix), _beside(path, suffix + ".link"))


def _change_row(path: Path) -> None:
    _in_shell(path, "UPDATE users SET is_active = 1")


def _change_row_and_checkpoint(path: Path) -> None:
    _in_shell(path, "PRAGMA wal_autocheckpoint = 1", "UPDATE users SET is_active = 1")


def _cut_log_by_checkpoint(path: Path) -> None:
    _in_shell(path, "PRAGMA wal_checkpoint(TRUNCATE)")


def _restart_log_by_checkpoint(path: Path) -> None:
    _in_shell(path, "PRAGMA wal_checkpoint(RESTART)")


def _vacuum(path: Path) -> None:
    _in_shell(path, "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)")


@pytest.mark.parametrize(
    "deed",
    [
        _touch,
        _change_mode,
        _back_up,
        _copy,
        _link,
        _change_row,
        _change_row_and_checkpoint,
        _cut_log_by_checkpoint,
        _restart_log_by_checkpoint,
        _vacuum,
    ],
)
async def test_what_does_no_harm_ends_nothing(path: Path, deed: Callable[[Path], None]) -> None:
    async with open_store(url_of(path)) as store, open_store(url_of(path)) as other:
        owner = await new_owner(store)
        others = Owner(other, owner.user)
        for _ in range(3):
            await owner.create()
            deed(path)
            _beside(path, ".copy").unlink(missing_ok=True)
            for file in path.parent.glob("*.link"):
                file.unlink()
            await owner.create()
            await others.create()
            for each in (store, other):
                await quiet_moments(each, 2)
        assert await owner.seq() == 9
    assert_sound(path)


async def test_orderly_end_after_the_files_were_taken_away_leaves_those_that_are_there_now(
    path: Path,
) -> None:
    """SQLite, closing its last connection, would delete what stands at its log's path."""

    async def be_served() -> str:
        async with open_store(url_of(path)) as store:
            task = await (await new_owner(store)).create()
            os.rename(path, _beside(path, ".away"))
            os.unlink(_beside(path, "-wal"))
            for suffix in ("", "-wal"):
                _beside(path, suffix).write_text("somebody's")
            created.append((task.uuid,))
        raise AssertionError("not noticed")

    created: list[tuple[str]] = []
    with pytest.raises(BaseExceptionGroup) as failed:
        await be_served()
    assert isinstance(failed.value.exceptions[0], FatalError)
    assert [_beside(path, suffix).read_text() for suffix in ("", "-wal")] == ["somebody's"] * 2
    with closing(sqlite3.connect(_beside(path, ".away"))) as away:
        assert away.execute("SELECT uuid FROM tasks").fetchall() == created


async def test_who_waits_for_a_write_is_refused_and_so_is_who_comes_later(path: Path) -> None:
    async def be_served() -> None:
        async with open_store(url_of(path)) as store:
            owner = await new_owner(store)
            owners.append(owner)
            os.rename(path, _beside(path, ".away"))
            writes = [asyncio.create_task(owner.create()) for _ in range(3)]
            for outcome in await asyncio.gather(*writes, return_exceptions=True):
                assert isinstance(outcome, Unavailable)
            await until(lambda: False, 10, "the end")

    owners: list[Owner] = []
    with pytest.raises(BaseExceptionGroup):
        await be_served()
    with pytest.raises(Unavailable):
        await owners[0].create()
    with pytest.raises(Unavailable):
        await owners[0].tasks()


async def test_looking_into_the_file_costs_no_descriptors_and_no_locks(path: Path) -> None:
    async with open_store(url_of(path)) as store:
        owner = await new_owner(store)
        meta.read_file(DatabasePath(path))
        descriptors = len(os.listdir("/dev/fd"))
        for _ in range(20):
            meta.read_file(DatabasePath(path))
            await owner.create()
        assert len(os.listdir("/dev/fd")) == descriptors
        async with child(open_one, url_of(path)) as other:  # the last to close a database deletes its log
            await other.ready()
            other.start()
            await other.hear_all()
        assert _beside(path, "-wal").exists()
        await owner.create()
