"""Backups of a database that is written to, and restores of them."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import sqlite3
import stat
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from shared.errors import Unavailable
from shared.store.copies import CopyFailed
from shared.store.sqlite import backup as backup_module
from shared.store.sqlite.backup import back_up
from shared.store.sqlite.restore import restore
from shared.store.sqlite.write_lock import WriteLock
from tests.shared.store.owner import Owner, new_owner
from tests.shared.store.sqlite.engine import SqliteEngine, url_of
from tests.shared.store.sqlite.sqlite_file import assert_sound
from tests.support.stores import open_store


def no_progress(done: int, total: int) -> None:
    pass


def copy(path: Path, to: Path, *, replace: bool = False) -> None:
    back_up(path, to, replace=replace, progress=no_progress)


@pytest.fixture
async def path(engine: SqliteEngine) -> Path:
    """A database with a user who has a task."""
    async with engine.open() as store:
        await (await new_owner(store, "ada")).create("first")
    return engine.path


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def damage(path: Path) -> None:
    path.write_bytes(b"damaged" * 1000)


async def tasks_in(path: Path) -> list[str]:
    """Of ada, whose id is the first."""
    async with open_store(url_of(path)) as store:
        user = await store.user_by_key("ada")
        assert user is not None
        return [task.task for task in await Owner(store, user).tasks()]


async def test_a_backup_while_others_write_is_one_moment_of_it(
    engine: SqliteEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup_module, "_PAGES_AT_ONCE", 16)
    to = tmp_path / "backup.db"
    async with engine.open() as store:
        owners = [await new_owner(store) for _ in range(3)]
        for number in range(300):
            await asyncio.gather(*(owner.create(f"{number}" + "x" * 200) for owner in owners))
        reports: list[tuple[int, int]] = []
        written_between = 0
        loop = asyncio.get_running_loop()

        def on_progress(done: int, total: int) -> None:
            """Between two steps somebody writes, and is done before the next."""
            nonlocal written_between
            reports.append((done, total))
            writing = asyncio.run_coroutine_threadsafe(owners[0].create("meanwhile"), loop)
            writing.result(10)
            written_between += 1

        await asyncio.to_thread(back_up, engine.path, to, replace=False, progress=on_progress)
        await owners[0].create("later")
    assert written_between > 3
    assert reports[-1][0] == reports[-1][1] > 0
    assert_sound(to)
    with closing(sqlite3.connect(to)) as connection:
        counts = connection.execute("SELECT tasks FROM feeds ORDER BY user_id").fetchall()
    assert counts == [(300,), (300,), (300,)]


async def test_a_backup_is_one_file_for_its_owner_alone(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    copy(path, folder / "backup.db")
    assert [file.name for file in folder.iterdir()] == ["backup.db"]
    assert mode_of(folder / "backup.db") == 0o600
    assert await tasks_in(folder / "backup.db") == ["first"]


def test_a_file_that_is_there_is_replaced_only_where_that_is_asked_for(path: Path, tmp_path: Path) -> None:
    to = tmp_path / "backup.db"
    to.write_text("precious")
    with pytest.raises(CopyFailed, match="exists already"):
        copy(path, to)
    assert to.read_text() == "precious"
    copy(path, to, replace=True)
    assert_sound(to)


@pytest.mark.parametrize("content", [None, b"", b"no database at all" * 100])
def test_what_is_no_database_is_not_backed_up(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "x.db").write_bytes(content)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(CopyFailed):
        copy(tmp_path / "x.db", tmp_path / "backup.db")
    assert sorted(tmp_path.iterdir()) == before


def test_a_database_that_is_not_sound_gives_no_backup(path: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE feeds SET seq = 7")
    with pytest.raises(CopyFailed, match="the copy is not sound: users whose change log has a gap"):
        copy(path, tmp_path / "backup.db")
    assert not (tmp_path / "backup.db").exists()


def test_a_folder_that_is_not_there_is_one_line(path: Path, tmp_path: Path) -> None:
    with pytest.raises(CopyFailed, match="No such file or directory"):
        copy(path, tmp_path / "none" / "backup.db")


def test_a_full_disk_leaves_nothing_half(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(backup_module, "sync_file", full)
    folder = tmp_path / "backups"
    folder.mkdir()
    with pytest.raises(CopyFailed, match="No space left on device"):
        copy(path, folder / "backup.db")
    assert list(folder.iterdir()) == []


async def test_a_restore_brings_back_what_was_there_under_a_new_epoch(
    engine: SqliteEngine, path: Path, tmp_path: Path
) -> None:
    copy(path, tmp_path / "backup.db")
    async with engine.open() as store:
        epoch = store.epoch
        user = await store.user_by_key("ada")
        assert user is not None
        await Owner(store, user).create("second")
    restored = restore(path, tmp_path / "backup.db", progress=no_progress)
    assert restored.former == path.with_name("taskbeam.db.before-restore-1")
    assert await tasks_in(path) == ["first"]
    assert await tasks_in(restored.former) == ["first", "second"]
    async with engine.open() as store:
        assert store.epoch == restored.epoch != epoch
    assert mode_of(path) == 0o600
    again = restore(path, tmp_path / "backup.db", progress=no_progress)
    assert again.former == path.with_name("taskbeam.db.before-restore-2")
    assert again.epoch != restored.epoch


async def test_a_restore_where_nothing_was(path: Path, tmp_path: Path) -> None:
    copy(path, tmp_path / "backup.db")
    new = tmp_path / "elsewhere" / "var" / "taskbeam.db"
    assert restore(new, tmp_path / "backup.db", progress=no_progress).former is None
    assert await tasks_in(new) == ["first"]


async def test_a_database_that_is_served_is_not_replaced(
    engine: SqliteEngine, path: Path, tmp_path: Path
) -> None:
    copy(path, tmp_path / "backup.db")
    async with engine.open():
        result = await asyncio.create_subprocess_exec(
            *_restoring(path, tmp_path / "backup.db"), stderr=asyncio.subprocess.PIPE
        )
        _, said = await result.communicate()
    assert f"{path} is in use: stop Taskbeam first" in said.decode()
    assert await tasks_in(path) == ["first"]


def _restoring(path: Path, backup: Path) -> list[str]:
    """In another process: locks of one process never keep itself out."""
    return [sys.executable, "-m", "taskbeam", "restore", str(backup), "--database", url_of(path)]


async def test_what_a_killed_process_left_in_the_log_is_in_the_former_database(
    engine: SqliteEngine, path: Path, tmp_path: Path
) -> None:
    copy(path, tmp_path / "backup.db")
    async with engine.open() as store:
        user = await store.user_by_key("ada")
        assert user is not None
        await Owner(store, user).create("second")
        left = tmp_path / "left"
        left.mkdir()
        for file in (path, path.with_name(path.name + "-wal")):
            shutil.copy(file, left)
    killed = left / path.name
    restored = restore(killed, tmp_path / "backup.db", progress=no_progress)
    assert restored.former is not None
    assert await tasks_in(killed) == ["first"]
    assert await tasks_in(restored.former) == ["first", "second"]


async def test_a_damaged_database_can_be_replaced(path: Path, tmp_path: Path) -> None:
    copy(path, tmp_path / "backup.db")
    damage(path)
    restored = restore(path, tmp_path / "backup.db", progress=no_progress)
    assert await tasks_in(path) == ["first"]
    assert restored.former is not None
    assert restored.former.read_bytes() == b"damaged" * 1000


@pytest.mark.parametrize("content", [None, b"", b"no database at all" * 100])
def test_what_is_no_backup_changes_nothing(path: Path, tmp_path: Path, content: bytes | None) -> None:
    backup = tmp_path / "backup.db"
    if content is not None:
        backup.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(CopyFailed):
        restore(path, backup, progress=no_progress)
    assert path.read_bytes() == before


async def test_a_process_that_starts_in_the_middle_of_a_restore_does_not_touch_the_new_database(
    engine: SqliteEngine, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has opened the former file, and waits for the write lock until the new one is in its place."""
    copy(path, tmp_path / "backup.db")
    opened, released = threading.Event(), threading.Event()
    acquire = WriteLock.acquire

    def acquire_late(self: WriteLock, timeout: float = 0.0) -> None:
        if threading.current_thread() is not threading.main_thread():  # the store's own thread
            opened.set()
            assert released.wait(10)
        acquire(self, timeout)

    monkeypatch.setattr(WriteLock, "acquire", acquire_late)

    async def start() -> None:
        async with engine.open():
            pass

    starting = asyncio.create_task(start())
    assert await asyncio.to_thread(opened.wait, 10)
    restored = restore(path, tmp_path / "backup.db", progress=no_progress)
    released.set()
    with pytest.raises(Unavailable) as error:
        await starting
    assert "was replaced while it was opened" in error.value.reason
    assert not path.with_name(path.name + "-wal").exists()
    monkeypatch.undo()
    async with engine.open() as store:
        assert store.epoch == restored.epoch
