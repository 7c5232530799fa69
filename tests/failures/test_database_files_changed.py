"""The database's files are moved, removed or changed while served: nothing more is acknowledged, and both processes exit."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.support.clients import Account, new_account
from tests.support.processes import System, running
from tests.support.waiting import wait_until

_END_SECONDS: Final = 10.0
_BEFORE: Final = 20
RUBBISH: Final = b"rubbish" * 10_000


class RestWriter:
    """Writes over REST without pause; remembers what was acknowledged, and when it was sent."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self.acknowledged: list[tuple[str, float]] = []
        self._thread = threading.Thread(target=self._write)

    def start(self) -> None:
        self._thread.start()

    def _write(self) -> None:
        while True:
            sent = time.monotonic()
            try:
                answer = self._account.rest("POST", "/", {"task": "a", "description": "x" * 500})
            except (OSError, ValueError):  # the process has exited
                return
            if answer.status == 201:
                self.acknowledged.append((answer.body["uuid"], sent))

    def join(self) -> None:
        self._thread.join(_END_SECONDS)
        assert not self._thread.is_alive()


@contextmanager
def served(folder: Path) -> Iterator[System]:
    """A system whose processes may exit; the others are killed at the end."""
    folder.mkdir()
    system = System(folder)
    try:
        system.start()
        yield system
    finally:
        for process in system.processes:
            process.kill_if_running()


def tasks_in(database: Path) -> set[str]:
    """The uuids of the tasks in the change log. Asserts the file's integrity."""
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {uuid for (uuid,) in connection.execute("SELECT task_id FROM changes").fetchall()}


def beside(database: Path, suffix: str) -> Path:
    return database.with_name(database.name + suffix)


def back_up(database: Path, copy: Path) -> None:
    """A backup like the one that the documentation recommends."""
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)


def rename(database: Path) -> Path:
    other = beside(database, ".away")
    os.rename(database, other)
    return other


def rename_folder(database: Path) -> Path:
    other = database.parent.with_name("away")
    os.rename(database.parent, other)
    database.parent.mkdir()
    return other / database.name


def remove_log(database: Path) -> Path:
    os.unlink(beside(database, "-wal"))
    return database


def remove_lock(database: Path) -> Path:
    os.unlink(beside(database, "-lock"))
    return database


def remove_index(database: Path) -> Path:
    os.unlink(beside(database, "-shm"))
    return database


def replace_lock(database: Path) -> Path:
    other = beside(database, ".new")
    other.touch()
    os.replace(other, beside(database, "-lock"))
    return database


def remove(database: Path) -> None:
    os.unlink(database)


def cut_log(database: Path) -> None:
    os.truncate(beside(database, "-wal"), 0)


def cut_half_of_log(database: Path) -> None:
    log = beside(database, "-wal")
    os.truncate(log, log.stat().st_size // 2)


def overwrite_log(database: Path) -> None:
    """Overwrite it in place with other content, like `cp`."""
    log = beside(database, "-wal")
    log.write_bytes(b"rubbish!" * (log.stat().st_size // 8 + 1))


def replace_log(database: Path) -> None:
    other = beside(database, ".new")
    other.touch()
    os.replace(other, beside(database, "-wal"))


def replace(database: Path) -> None:
    os.replace(beside(database, ".backup"), database)


def overwrite(database: Path) -> None:
    shutil.copyfile(beside(database, ".backup"), database)


def overwrite_with_rubbish(database: Path) -> None:
    database.write_bytes(RUBBISH)


KEEPS_WRITES = [rename, rename_folder, remove_log, remove_lock, replace_lock, remove_index]
LOSES_WRITES = [remove, cut_log, cut_half_of_log, overwrite_log, replace_log]
RESTORES = [replace, overwrite]
CAN_START_AGAIN = [rename, remove_log, cut_log, *RESTORES]


class Result(NamedTuple):
    """The uuids that were acknowledged, and those in the backup; the file that must have the first, if any."""

    acknowledged: set[str]
    backup: set[str]
    where: Path | None


def change_while_writing(system: System, change: Callable[[Path], Path | None]) -> Result:
    """Change the files while a client writes; asserts that both processes exit."""
    writer = RestWriter(new_account(system))
    writer.start()
    wait_until(lambda: len(writer.acknowledged) > _BEFORE, _END_SECONDS, "some writes")
    copy = beside(system.database, ".backup")
    back_up(system.database, copy)
    backup = tasks_in(copy)
    known = len(writer.acknowledged)
    wait_until(lambda: len(writer.acknowledged) > known + _BEFORE, _END_SECONDS, "some more writes")
    logs = [process.log.open() for process in system.processes]  # the folder may be renamed
    where = change(system.database)
    changed = time.monotonic()
    for process, log in zip(system.processes, logs, strict=True):
        assert process.popen is not None
        assert process.popen.wait(_END_SECONDS) == 1
        with log:
            logged = log.read()
        assert logged.count(" CRITICAL ") == 1, logged
        assert str(system.database) in logged
        assert "Traceback" not in logged
    writer.join()
    late = [uuid for uuid, sent in writer.acknowledged if sent > changed]
    assert late == [], f"{len(late)} acknowledged after the change"
    return Result({uuid for uuid, _ in writer.acknowledged}, backup, where)


@pytest.mark.parametrize("change", KEEPS_WRITES)
def test_acknowledged_writes_are_in_the_moved_files(tmp_path: Path, change: Callable[[Path], Path]) -> None:
    with served(tmp_path / "served") as system:
        result = change_while_writing(system, change)
        assert result.where is not None
        assert result.acknowledged <= tasks_in(result.where)
        if change in CAN_START_AGAIN:
            system.start()
            new_account(system)


@pytest.mark.parametrize("change", [*LOSES_WRITES, *RESTORES])
def test_nothing_more_is_acknowledged_and_the_new_files_are_served(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    with served(tmp_path / "served") as system:
        result = change_while_writing(system, change)
        if change not in CAN_START_AGAIN:
            return
        system.start()
        new_account(system)
        there = tasks_in(system.database)
        if change in RESTORES:
            assert there == result.backup, "no part of the old log was applied to it"


def test_a_file_that_is_no_database_is_neither_served_nor_changed(tmp_path: Path) -> None:
    with served(tmp_path / "served") as system:
        change_while_writing(system, overwrite_with_rubbish)
        for process in system.processes:
            process.start(ready=False)
            assert process.popen is not None
            assert process.popen.wait(_END_SECONDS) == 1
        assert system.database.read_bytes() == RUBBISH


def test_deleted_wake_folder_is_made_again(tmp_path: Path) -> None:
    with running(tmp_path) as system:
        folder = beside(system.database, "-wake")
        shutil.rmtree(folder)
        wait_until(lambda: folder.exists() and len(list(folder.iterdir())) == 2, 10, "both are there again")
