"""Somebody does something to the database's files while they are served: nothing more is acknowledged, and both processes end."""

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


class Pen:
    """Writes over REST without a pause, and remembers what was acknowledged, and when it had been sent."""

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
            except (OSError, ValueError):  # it has ended
                return
            if answer.status == 201:
                self.acknowledged.append((answer.body["uuid"], sent))

    def join(self) -> None:
        self._thread.join(_END_SECONDS)
        assert not self._thread.is_alive()


@contextmanager
def served(folder: Path) -> Iterator[System]:
    """A system whose processes may end; those that have not are killed at the end."""
    folder.mkdir()
    system = System(folder)
    try:
        system.start()
        yield system
    finally:
        for process in system.processes:
            process.kill_if_running()


def tasks_in(database: Path) -> set[str]:
    """Its tasks' uuids; the file must be sound."""
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {uuid for (uuid,) in connection.execute("SELECT task_id FROM changes").fetchall()}


def beside(database: Path, suffix: str) -> Path:
    return database.with_name(database.name + suffix)


def back_up(database: Path, copy: Path) -> None:
    """As an operator should."""
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


def write_over_log(database: Path) -> None:
    """With another log, as `cp` does."""
    log = beside(database, "-wal")
    log.write_bytes(b"rubbish!" * (log.stat().st_size // 8 + 1))


def replace_log(database: Path) -> None:
    other = beside(database, ".new")
    other.touch()
    os.replace(other, beside(database, "-wal"))


def replace(database: Path) -> None:
    os.replace(beside(database, ".backup"), database)


def write_over(database: Path) -> None:
    shutil.copyfile(beside(database, ".backup"), database)


def write_rubbish_over(database: Path) -> None:
    database.write_bytes(RUBBISH)


KEEPING = [rename, rename_folder, remove_log, remove_lock, replace_lock, remove_index]
LOSING = [remove, cut_log, cut_half_of_log, write_over_log, replace_log]
RESTORING = [replace, write_over]
STARTED_AGAIN = [rename, remove_log, cut_log, *RESTORING]


class TakenAway(NamedTuple):
    """The uuids of what was acknowledged, and of what a backup has; where the first has to be, if anywhere."""

    acknowledged: set[str]
    backup: set[str]
    where: Path | None


def taken_away(system: System, deed: Callable[[Path], Path | None]) -> TakenAway:
    """Do it while a client writes, and see both processes end."""
    pen = Pen(new_account(system))
    pen.start()
    wait_until(lambda: len(pen.acknowledged) > _BEFORE, _END_SECONDS, "some writes")
    copy = beside(system.database, ".backup")
    back_up(system.database, copy)
    backup = tasks_in(copy)
    known = len(pen.acknowledged)
    wait_until(lambda: len(pen.acknowledged) > known + _BEFORE, _END_SECONDS, "some more writes")
    logs = [process.log.open() for process in system.processes]  # the folder may be renamed
    where = deed(system.database)
    done = time.monotonic()
    for process, log in zip(system.processes, logs, strict=True):
        assert process.popen is not None
        assert process.popen.wait(_END_SECONDS) == 1
        with log:
            told = log.read()
        assert told.count(" CRITICAL ") == 1, told
        assert str(system.database) in told
        assert "Traceback" not in told
    pen.join()
    late = [uuid for uuid, sent in pen.acknowledged if sent > done]
    assert late == [], f"{len(late)} acknowledged after it"
    return TakenAway({uuid for uuid, _ in pen.acknowledged}, backup, where)


@pytest.mark.parametrize("deed", KEEPING)
def test_what_was_acknowledged_is_where_the_files_are(tmp_path: Path, deed: Callable[[Path], Path]) -> None:
    with served(tmp_path / "served") as system:
        taken = taken_away(system, deed)
        assert taken.where is not None
        assert taken.acknowledged <= tasks_in(taken.where)
        if deed in STARTED_AGAIN:
            system.start()
            new_account(system)


@pytest.mark.parametrize("deed", [*LOSING, *RESTORING])
def test_nothing_more_is_acknowledged_and_what_is_there_is_served(
    tmp_path: Path, deed: Callable[[Path], None]
) -> None:
    with served(tmp_path / "served") as system:
        taken = taken_away(system, deed)
        if deed not in STARTED_AGAIN:
            return
        system.start()
        new_account(system)
        there = tasks_in(system.database)
        if deed in RESTORING:
            assert there == taken.backup, "nothing of the log before came over it"


def test_rubbish_is_not_served_and_stays_as_it_is(tmp_path: Path) -> None:
    with served(tmp_path / "served") as system:
        taken_away(system, write_rubbish_over)
        for process in system.processes:
            process.start(ready=False)
            assert process.popen is not None
            assert process.popen.wait(_END_SECONDS) == 1
        assert system.database.read_bytes() == RUBBISH


def test_wake_folder_that_was_deleted_is_made_again(tmp_path: Path) -> None:
    with running(tmp_path) as system:
        folder = beside(system.database, "-wake")
        shutil.rmtree(folder)
        wait_until(lambda: folder.exists() and len(list(folder.iterdir())) == 2, 10, "both are there again")
