"""The relay of the log as a process: whatever its reader does, nobody who writes to it waits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.log_writer import QUEUE_MAX_BYTES
from tests.support.processes import ROOT
from tests.support.waiting import wait_until

_LINE = b"x" * 1023 + b"\n"
_LINES = 3 * QUEUE_MAX_BYTES // len(_LINE)
_END_SECONDS = 10.0


@contextmanager
def relaying(folder: Path, log_format: str = "text") -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The relay, and the reading end of its output."""
    reader, output = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "taskbeam.relay", log_format, str(folder / "metrics")],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=output,
    )
    os.close(output)
    with process:
        try:
            yield process, reader
        finally:
            process.kill()
            os.close(reader)


def _write(process: subprocess.Popen[bytes], data: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(data)
    process.stdin.flush()


def _end(process: subprocess.Popen[bytes], reader: int) -> bytes:
    """What is written to the end, which comes with that of the input."""
    assert process.stdin is not None
    process.stdin.close()
    with os.fdopen(os.dup(reader), "rb") as file:
        text = file.read()
    assert process.wait(_END_SECONDS) == 0
    return text


def test_a_reader_that_stands_still_holds_up_nobody_and_what_was_dropped_is_said_and_counted(
    tmp_path: Path,
) -> None:
    published = tmp_path / "metrics" / "relay-0.json"
    with relaying(tmp_path) as (process, reader):
        for _ in range(_LINES):
            _write(process, _LINE)
        wait_until(published.exists, 10, "the dropped lines are published")
        text = b""
        while text.count(b"\n") < QUEUE_MAX_BYTES // len(_LINE):
            text += os.read(reader, 65536)
        _write(process, b"there is room\n")
        lines = (text + _end(process, reader)).splitlines()
    *told, last = lines
    assert last == b"there is room"
    [about] = [line for line in told if line != _LINE.strip()]
    assert b"WARNING taskbeam: " in about
    dropped = int(about.split(b" WARNING taskbeam: ")[1].split()[0])
    assert dropped == _LINES - (len(told) - 1) > 0
    [[labels, count]] = json.loads(published.read_text())["counters"]["taskbeam_log_lines_dropped_total"]
    assert (labels, count) == ([], dropped)


def test_it_ends_with_its_input_although_nobody_reads(tmp_path: Path) -> None:
    with relaying(tmp_path) as (process, _):
        for _ in range(_LINES // 10):
            _write(process, _LINE)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(_END_SECONDS) == 0


def test_it_outlives_its_reader_and_the_signals_that_end_the_others(tmp_path: Path) -> None:
    with relaying(tmp_path, "json") as (process, reader):
        _write(process, b"first\n\n")
        assert json.loads(os.read(reader, 65536))["message"] == "first"
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            process.send_signal(number)
        _write(process, b'{"second": 2}\nwithout an end')
        second, third = _end(process, reader).splitlines()
    assert (json.loads(second), json.loads(third)["message"]) == ({"second": 2}, "without an end")
    with relaying(tmp_path) as (process, reader):
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, reader)  # the reader is gone
        os.close(null)
        for _ in range(100):
            _write(process, _LINE)
        _end(process, reader)
