"""The thread that writes log lines: whatever its reader does, nobody who logs waits."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import time
from collections.abc import Iterator

import pytest

from shared import log_writer
from shared.log_writer import LogWriter

PIPE_BYTES = 4096


class Pipe:
    """A small pipe, whose reader reads when it is told to."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        fcntl.fcntl(self.writer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    def read_to_end(self) -> list[str]:
        os.close(self.writer)
        with open(self.reader, "rb") as file:
            return file.read().decode().splitlines()

    def read_until(self, last: str) -> list[str]:
        text = b""
        while not text.endswith(f"{last}\n".encode()):
            text += os.read(self.reader, 65536)
        return text.decode().splitlines()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    for descriptor in (made.reader, made.writer):
        with contextlib.suppress(OSError):
            os.close(descriptor)


@pytest.fixture
def writer(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> Iterator[LogWriter]:
    monkeypatch.setattr(log_writer, "QUEUE_MAX_BYTES", 10_000)
    monkeypatch.setattr(log_writer, "_ROOM_BYTES", 5_000)
    monkeypatch.setattr(log_writer, "_FLUSH_SECONDS", 0.2)
    made = LogWriter(pipe.writer, logging.Formatter("%(message)s"))
    yield made
    # Its thread must not write what is left to a file that gets the same descriptor.
    with contextlib.suppress(OSError):
        os.close(pipe.reader)
    made.flush()


def record(message: str) -> logging.LogRecord:
    return logging.LogRecord("test", logging.INFO, __file__, 0, message, None, None)


def test_lines_are_written_in_order(pipe: Pipe, writer: LogWriter) -> None:
    lines = [f"line {number}" for number in range(100)]
    for line in lines:
        writer.handle(record(line))
    assert pipe.read_until(lines[-1]) == lines


def test_what_does_not_fit_is_dropped_and_told_once_there_is_room_again(
    pipe: Pipe, writer: LogWriter
) -> None:
    for number in range(1000):
        writer.handle(record(f"line {number:04} {'x' * 90}"))
    dropped = writer.dropped
    assert 800 < dropped < 950
    written = pipe.read_until(f"line {999 - dropped:04} {'x' * 90}")
    assert [line[:9] for line in written] == [f"line {number:04}" for number in range(1000 - dropped)]
    writer.handle(record("there is room"))
    assert pipe.read_until("there is room") == [
        f"{dropped} log lines were dropped: their reader stood still",
        "there is room",
    ]
    writer.handle(record("nothing more to tell"))
    assert pipe.read_until("nothing more to tell") == ["nothing more to tell"]


def test_after_a_drop_no_line_is_taken_before_there_is_much_room(pipe: Pipe, writer: LogWriter) -> None:
    """Else a reader that is a little too slow would get a line about dropped lines after every line."""
    for _ in range(200):
        writer.handle(record("x" * 99))
    dropped = writer.dropped
    os.read(pipe.reader, 1000)
    writer.handle(record("too soon"))
    assert writer.dropped == dropped + 1


def test_the_end_waits_for_lines_but_not_for_a_reader_that_stands_still(
    pipe: Pipe, writer: LogWriter
) -> None:
    writer.handle(record("short"))
    writer.flush()
    assert os.read(pipe.reader, 100) == b"short\n"
    for _ in range(80):
        writer.handle(record("x" * 99))
    started = time.monotonic()
    writer.flush()
    assert 0.2 <= time.monotonic() - started < 1


def test_dropped_lines_are_told_at_the_end_at_least(pipe: Pipe, writer: LogWriter) -> None:
    for _ in range(200):
        writer.handle(record("x" * 99))
    writer.flush()
    assert pipe.read_until(f"{writer.dropped} log lines were dropped: their reader stood still")


def test_a_line_whose_arguments_do_not_fit_does_not_raise(pipe: Pipe, writer: LogWriter) -> None:
    made = record("%d")
    made.args = ("text",)
    writer.handle(made)
    assert pipe.read_until("a log line of test could not be formatted")


def test_a_reader_that_is_gone_is_no_error(pipe: Pipe, writer: LogWriter) -> None:
    os.close(pipe.reader)
    writer.handle(record("nobody hears this"))
    writer.flush()
    assert writer.dropped == 0


def test_a_pipe_that_does_not_block_gets_all_lines(pipe: Pipe, writer: LogWriter) -> None:
    os.set_blocking(pipe.writer, False)
    for number in range(80):
        writer.handle(record(f"line {number:04} {'x' * 90}"))
    written = pipe.read_until(f"line 0079 {'x' * 90}")
    assert len(written) == 80
