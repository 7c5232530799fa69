"""The lines of the relay: bounded, and JSON objects where the log is JSON, whatever comes."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.strict_json import decode
from taskbeam.relay_lines import CUT, LINE_MAX_BYTES, LineSplitter, as_json


@settings(max_examples=50)
@given(st.lists(st.binary(max_size=20) | st.just(b"\n")))
def test_lines_do_not_depend_on_where_the_pieces_are_cut(pieces: list[bytes]) -> None:
    splitter = LineSplitter()
    lines = [line for piece in pieces for line in splitter.feed(piece)] + splitter.end()
    whole = b"".join(pieces).decode(errors="backslashreplace")
    assert lines == whole.removesuffix("\n").split("\n") if whole else lines == []


def test_bytes_that_are_no_text_are_escaped() -> None:
    assert LineSplitter().feed("Jürgen \udcff\n".encode(errors="surrogateescape")) == ["Jürgen \\xff"]


def test_of_a_line_that_is_too_long_the_beginning_is_kept_and_the_next_is_whole() -> None:
    splitter = LineSplitter()
    fits = "x" * LINE_MAX_BYTES
    lines = [line for _ in range(100) for line in splitter.feed(b"y" * 10_000)]
    assert lines == []
    assert splitter.feed(f"y\n{fits}\nz\n".encode()) == ["y" * LINE_MAX_BYTES + CUT, fits, "z"]
    assert splitter.end() == []


@given(st.text() | st.builds("{{{}".format, st.text()))
@example("{" + '"a":[' * 10_000)
@settings(max_examples=50)
def test_every_line_becomes_one_json_object_on_one_line(line: str) -> None:
    line = line.encode(errors="backslashreplace").decode().replace("\n", "")
    made = as_json(line)
    assert "\n" not in made
    assert isinstance(json.loads(made), dict)


def test_a_servers_line_stays_as_it_is() -> None:
    line = '{"time": "2026-11-22T11:57:25.175297Z", "level": "info", "process": "ws_server", "message": "m"}'
    assert as_json(line) == line


def test_a_line_of_supervisord_has_its_time_and_level(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        made = as_json("2026-11-22 11:57:25,175 WARN exited: rest_gateway (terminated by SIGKILL)")
    finally:
        monkeypatch.undo()
        time.tzset()
    assert json.loads(made) == {
        "time": "2026-11-22T06:27:25.175000Z",
        "level": "warning",
        "process": "supervisord",
        "logger": "supervisord",
        "message": "exited: rest_gateway (terminated by SIGKILL)",
    }


def test_a_line_of_the_launcher() -> None:
    made = json.loads(as_json("taskbeam: ready at http://127.0.0.1:8001/"))
    assert (made["process"], made["level"]) == ("taskbeam", "info")
    assert made["message"] == "ready at http://127.0.0.1:8001/"
    assert abs(datetime.fromisoformat(made["time"]) - datetime.now(UTC)).total_seconds() < 60


@pytest.mark.parametrize(
    "line",
    [
        "Traceback (most recent call last):",
        '{"half": ',
        '{"number": NaN}',
        '["no object"]',
        "2026-13-22 11:57:25,175 INFO no such month",
    ],
)
def test_what_a_process_says_that_cannot_log_is_a_warning(line: str) -> None:
    made = decode(as_json(line))
    assert (made["process"], made["level"], made["message"]) == ("supervisord", "warning", line)
