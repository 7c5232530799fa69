"""How long the log is, read from its file: by several processes, over checkpoints and beginnings anew."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from shared.store.sqlite import checkpoints
from shared.store.sqlite.checkpoints import Checkpoints

PAGE = 4096
QUIET_PAGES, PAGES = 20, 50


@pytest.fixture(autouse=True)
def bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = PAGE + 24
    monkeypatch.setattr(checkpoints, "_QUIET_CHECKPOINT_BYTES", QUIET_PAGES * frame)
    monkeypatch.setattr(checkpoints, "_CHECKPOINT_BYTES", PAGES * frame)


class Process:
    """A connection that writes, and what it knows of the log."""

    def __init__(self, path: Path) -> None:
        self.log = path.with_name(path.name + "-wal")
        self.checkpoints = Checkpoints(self.log)
        self.connection = sqlite3.connect(path, isolation_level=None)
        for pragma in (f"page_size = {PAGE}", "journal_mode = WAL", "wal_autocheckpoint = 0"):
            self.connection.execute(f"PRAGMA {pragma}")
        self.connection.execute("CREATE TABLE IF NOT EXISTS filler (id INTEGER PRIMARY KEY, content)")

    def close(self) -> None:
        self.connection.close()
        self.checkpoints.close()

    def write(self, pages: int) -> None:
        """So many, and the few that lead to them, in one transaction."""
        self.connection.execute("BEGIN")
        self.connection.executemany(
            "INSERT INTO filler (content) VALUES (zeroblob(?))", [(PAGE * 3 // 4,)] * pages
        )
        self.connection.execute("COMMIT")

    def run(self) -> None:
        self.checkpoints.run(self.connection)

    @property
    def state(self) -> tuple[bool, bool]:
        """Whether a checkpoint is worth while, and whether it is due."""
        return self.checkpoints.is_worth_while, self.checkpoints.is_due


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[tuple[Process, Process]]:
    with ExitStack() as stack:
        path = tmp_path / "some.db"
        yield (
            stack.enter_context(closing(Process(path))),
            stack.enter_context(closing(Process(path))),
        )


@pytest.fixture
def process(processes: tuple[Process, Process]) -> Process:
    return processes[0]


@pytest.fixture
def other(processes: tuple[Process, Process]) -> Process:
    return processes[1]


NOT_YET, WORTH_WHILE, DUE = (False, False), (True, False), (True, True)


def test_there_need_not_be_a_log(tmp_path: Path) -> None:
    with closing(Checkpoints(tmp_path / "none-wal")) as none:
        assert (none.is_worth_while, none.is_due) == NOT_YET
    (tmp_path / "empty-wal").touch()
    with closing(Checkpoints(tmp_path / "empty-wal")) as empty:
        assert (empty.is_worth_while, empty.is_due) == NOT_YET


def test_log_grows_until_a_checkpoint_is_worth_while_and_then_due(process: Process) -> None:
    states = []
    for _ in range(PAGES):
        states.append(process.state)
        process.write(1)
    states.append(process.state)
    assert states == sorted(states)
    assert list(dict.fromkeys(states)) == [NOT_YET, WORTH_WHILE, DUE]


@pytest.mark.parametrize("rounds", [1, 3])
def test_after_a_checkpoint_it_has_to_grow_as_much_again(process: Process, rounds: int) -> None:
    for _ in range(rounds):
        process.write(PAGES)
        assert process.state == DUE
        process.run()
        assert process.state == NOT_YET, "before it has begun anew"
        process.write(1)
        assert process.state == NOT_YET
    process.write(QUIET_PAGES)
    assert process.state == WORTH_WHILE


def test_frames_of_the_log_before_do_not_count(process: Process) -> None:
    process.write(3 * PAGES)
    process.run()
    process.write(1)
    assert process.state == NOT_YET


def test_what_another_process_writes_counts(process: Process, other: Process) -> None:
    other.write(PAGES)
    assert process.state == other.state == DUE


def test_checkpoint_of_another_process_counts(process: Process, other: Process) -> None:
    process.write(PAGES)
    assert other.state == DUE
    process.run()
    other.write(1)
    assert process.state == other.state == NOT_YET
    process.write(PAGES)
    assert process.state == other.state == DUE


def test_later_process_measures_the_whole_log(process: Process, tmp_path: Path) -> None:
    process.write(PAGES)
    with closing(Process(tmp_path / "some.db")) as later:
        assert later.state == DUE
        later.run()
        later.write(1)
        assert later.state == process.state == NOT_YET


def test_reader_in_the_way_puts_the_next_try_off(process: Process, other: Process) -> None:
    other.connection.execute("BEGIN")
    other.connection.execute("SELECT count(*) FROM filler").fetchone()
    for _ in range(3):
        process.write(PAGES)
        assert process.state == DUE
        process.run()
        assert process.state == WORTH_WHILE, "a quiet moment is used"
        process.write(1)
        assert process.state == WORTH_WHILE, "the log goes on, and what was in it was tried"
    other.connection.execute("COMMIT")
    process.write(PAGES)
    process.run()
    process.write(1)
    assert process.state == NOT_YET
    process.write(PAGES)
    assert process.state == DUE


def test_failure_is_logged_and_puts_the_next_try_off(
    process: Process, caplog: pytest.LogCaptureFixture
) -> None:
    def deny(action: int, first: str | None, *_: str | None) -> int:
        checkpoint = action == sqlite3.SQLITE_PRAGMA and first == "wal_checkpoint"
        return sqlite3.SQLITE_DENY if checkpoint else sqlite3.SQLITE_OK

    process.write(PAGES)
    assert process.state == DUE
    process.connection.set_authorizer(deny)
    process.run()
    process.connection.set_authorizer(None)
    assert "checkpoint failed" in caplog.text
    assert process.state == WORTH_WHILE
    process.write(PAGES)
    assert process.state == DUE
    process.run()
    process.write(1)
    assert process.state == NOT_YET


def test_unfinished_one_is_tried_again_after_a_while(
    process: Process, other: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    process.write(PAGES)
    other.connection.execute("BEGIN")
    other.connection.execute("SELECT count(*) FROM filler").fetchone()
    assert process.state == DUE
    process.run()
    assert process.state == WORTH_WHILE
    monkeypatch.setattr(checkpoints, "_RETRY_SECONDS", 0)
    assert process.state == DUE
    process.run()
    assert process.state == DUE
    other.connection.execute("COMMIT")
    process.run()
    assert process.state == NOT_YET


def test_a_checkpoint_that_cannot_finish_is_logged_and_so_is_its_end(
    process: Process, other: Process, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    moment = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: moment)
    process.write(PAGES)
    other.connection.execute("BEGIN")
    other.connection.execute("SELECT count(*) FROM filler").fetchone()
    for moment in [0.0, 0.5, 2.0, 3.0, 30.0, 61.0, 63.0, 119.0, 123.0]:  # noqa: B007 - read by the clock above
        process.run()
    assert caplog.text.count("cannot be emptied") == 3, "once a minute"
    assert "is emptied again" not in caplog.text
    other.connection.execute("COMMIT")
    process.run()
    assert caplog.text.count("is emptied again") == 1
    process.run()
    assert caplog.text.count("is emptied again") == 1


def test_short_reader_is_not_worth_a_word(
    process: Process, other: Process, caplog: pytest.LogCaptureFixture
) -> None:
    process.write(PAGES)
    other.connection.execute("BEGIN")
    other.connection.execute("SELECT count(*) FROM filler").fetchone()
    process.run()
    other.connection.execute("COMMIT")
    process.run()
    assert caplog.text == ""


def test_file_that_a_reader_made_long_is_cut_and_one_of_the_usual_length_is_not(
    process: Process, other: Process
) -> None:
    log = process.log
    process.write(PAGES)
    process.run()
    assert log.stat().st_size > PAGES * PAGE
    other.connection.execute("BEGIN")
    other.connection.execute("SELECT count(*) FROM filler").fetchone()
    for _ in range(5):
        process.write(PAGES)
        process.run()
    assert log.stat().st_size > 5 * PAGES * PAGE
    other.connection.execute("COMMIT")
    assert process.state[0]
    process.run()
    assert log.stat().st_size == 0
    process.write(PAGES)
    assert process.state == DUE
    assert process.connection.execute("SELECT count(*) FROM filler").fetchone() == (7 * PAGES,)


def test_file_that_others_have_left_long_is_cut(process: Process, tmp_path: Path) -> None:
    """By a process that was killed meanwhile, or another program's checkpoint, which leaves its length."""
    process.write(3 * PAGES)
    process.connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
    with closing(Process(tmp_path / "some.db")) as later:
        assert later.state == DUE
        later.run()
        assert later.log.stat().st_size == 0
        assert later.state == NOT_YET
