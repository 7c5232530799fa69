"""Log lines: one for each event, whatever a client puts into it."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.logs import JsonFormatter, TextFormatter
from shared.strict_json import decode
from tests.support.processes import ROOT

FORGED = "2026-11-22T11:57:25.175297Z INFO ws_server: forged"
BEGINS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [A-Z]+ ws_server: ")
# Lone surrogates: how argv and headers show bytes that are not UTF-8.
anything = st.text(max_size=40) | st.sampled_from(
    ["\ud800", "a\nb", f"\r\n{FORGED}", "\u2028", "\x85", "\x0b"]
)


def record(message: str, error: BaseException | None = None, **extra: Any) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": "shared.x", "levelname": "INFO", "msg": "%s", "args": (message,)})
    made.__dict__.update(extra)
    if error is not None:
        made.exc_info = (type(error), error, error.__traceback__)
    return made


def raised(message: str) -> BaseException:
    try:
        raise ValueError(message)
    except ValueError:
        error = sys.exc_info()[1]
        assert error is not None
        return error


@given(anything, anything)
def test_text_is_one_line(message: str, value: str) -> None:
    line = TextFormatter("ws_server").format(record(message, value=value))
    assert BEGINS.match(line)
    assert not set("\r\n") & set(line)


@given(anything, anything)
def test_json_is_one_object_on_one_line(message: str, value: str) -> None:
    line = JsonFormatter("ws_server").format(record(message, value=value))
    assert not set("\r\n") & set(line)
    line.encode()
    decoded = json.loads(line)
    assert (decoded["level"], decoded["process"], decoded["logger"]) == ("info", "ws_server", "shared.x")
    if message.isprintable():
        assert decoded["message"] == message


def test_text_holds_time_level_process_message_and_extras() -> None:
    made = record("listening", address="127.0.0.1", port=8000)
    made.created = 1_795_348_645.5
    line = TextFormatter("ws_server").format(made)
    assert line == "2026-11-22T11:57:25.500000Z INFO ws_server: listening address=127.0.0.1 port=8000"


def test_json_holds_extras_of_any_type() -> None:
    extras: dict[str, Any] = {
        "n": 5,
        "f": 1.5,
        "none": None,
        "list": [1, "a"],
        "object": object,
        "big": 2**80,
        "b": b"\xff",
    }
    decoded = json.loads(JsonFormatter("p").format(record("m", **extras)))
    assert (decoded["n"], decoded["f"], decoded["none"], decoded["list"]) == (5, 1.5, None, [1, "a"])
    assert decoded["object"] == "<class 'object'>"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_json_has_no_numbers_that_json_does_not_have(number: float) -> None:
    """Strict parsers refuse the whole line for one NaN."""
    decoded = decode(JsonFormatter("p").format(record("m", number=number)))
    assert decoded["message"] == "m"
    assert "number" in decoded


def test_json_holds_the_traceback_in_the_same_line() -> None:
    line = JsonFormatter("p").format(record("m", raised("reason")))
    assert "\n" not in line
    assert json.loads(line)["exception"].endswith("ValueError: reason")


def test_text_holds_the_traceback_below() -> None:
    line, *below = TextFormatter("ws_server").format(record("m", raised("reason"))).splitlines()
    assert BEGINS.match(line)
    assert "ValueError: reason" in "\n".join(below)


@pytest.mark.parametrize("break_", ["\n", "\r", "\r\n"])
def test_message_of_an_error_cannot_begin_a_line_like_one_of_ours(break_: str) -> None:
    text = TextFormatter("ws_server").format(record("m", raised(f"reason{break_}{FORGED}")))
    lines = re.split(r"\r\n|\r|\n", text)
    assert [line for line in lines if BEGINS.match(line)] == lines[:1]


@given(st.text(alphabet=st.characters(), max_size=40), st.text(alphabet=st.characters(), max_size=40))
def test_text_has_no_character_that_moves_a_cursor_or_hides_another(message: str, value: str) -> None:
    assert TextFormatter("ws_server").format(record(message, value=value)).isprintable()


@pytest.mark.parametrize("text", ["a\x1b[2Jb", "a\x00b", "a\x7fb", "a\x9bb", "a\u202eb", "a\ud800b"])
def test_what_is_escaped_can_still_be_read(text: str) -> None:
    line = TextFormatter("ws_server").format(record(text))
    assert line.split("ws_server: ")[1] == text.encode("unicode_escape", "surrogatepass").decode()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain", "plain"),
        ("/a/?b", "/a/?b"),
        ("a user=admin", '"a user=admin"'),
        ('a"b', '"a\\"b"'),
        ("", '""'),
        ("Jürgen", '"Jürgen"'),
    ],
)
def test_a_value_cannot_pass_for_another_key(value: str, shown: str) -> None:
    assert TextFormatter("ws_server").format(record("m", value=value)).endswith(f": m value={shown}")


def test_bad_settings_are_json_too_where_the_log_is() -> None:
    environ = {
        **os.environ,
        "TASKBEAM_LOG_FORMAT": "json",
        "TASKBEAM_WS_PORT": "x",
        "TASKBEAM_LOG_LEVEL": "y",
    }
    ended = subprocess.run(
        [sys.executable, "-m", "ws_server"],
        check=False,
        env=environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
    )
    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert ended.returncode == 2
    assert [(line["level"], line["message"].split(":")[0]) for line in lines] == [
        ("critical", "TASKBEAM_WS_PORT"),
        ("critical", "TASKBEAM_LOG_LEVEL"),
    ]
