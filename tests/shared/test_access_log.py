"""The lines of the access log: fixed forms, whatever a client chose."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.access_log import AccessLog, open_access_log
from shared.settings import load_settings

LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z INFO p: GET (\S*) 200 user=7 ms=1\.5 request_id=(\S+)"
)


def lines(
    share: float, count: int, *, as_json: bool = False, target: str = "/", request_id: str = "r"
) -> list[str]:
    written: list[str] = []
    log = AccessLog("p", share, as_json=as_json, write=written.append)
    for _ in range(count):
        if log.is_due(200):
            log.log("GET", target, 200, 7, 0.0015, request_id)
    return written


def test_a_line_of_text() -> None:
    [line] = lines(1.0, 1, target="/task/x/", request_id="abc")
    match = LINE.fullmatch(line)
    assert match is not None
    assert match.groups() == ("/task/x/", "abc")


def test_a_line_of_json() -> None:
    [line] = lines(1.0, 1, as_json=True, target="/task/x/", request_id="abc")
    decoded = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", decoded.pop("time"))
    assert decoded == {
        "level": "info",
        "process": "p",
        "logger": "access",
        "message": "GET /task/x/ 200",
        "outcome": 200,
        "user": 7,
        "ms": 1.5,
        "request_id": "abc",
    }


@pytest.mark.parametrize(("share", "count"), [(1.0, 1000), (0.5, 500), (0.01, 10), (0.001, 1)])
def test_a_share_is_written_evenly(share: float, count: int) -> None:
    assert abs(len(lines(share, 1000)) - count) <= 1


printable_ascii = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=128)


@given(st.text(max_size=40), printable_ascii)
def test_what_a_client_chose_forges_nothing(target: str, request_id: str) -> None:
    [text] = lines(1.0, 1, target=target, request_id=request_id)
    [as_json] = lines(1.0, 1, as_json=True, target=target, request_id=request_id)
    assert text.isprintable()
    assert len(as_json.splitlines()) == 1
    assert json.loads(as_json)["request_id"] == request_id


def test_a_long_path_is_cut() -> None:
    [line] = lines(1.0, 1, target="/" + "x" * 8000)
    assert len(line) < 700


@pytest.mark.parametrize(("access_log", "level"), [("off", "INFO"), ("0", "INFO"), ("on", "WARNING")])
def test_nothing_is_made_where_nothing_is_to_be_written(access_log: str, level: str) -> None:
    settings = load_settings({"TASKBEAM_ACCESS_LOG": access_log, "TASKBEAM_LOG_LEVEL": level})
    assert open_access_log("p", settings) is None


@pytest.mark.parametrize("value", ["1.5", "-1", "yes", "0.", "1e-3", "0.0000001"])
def test_what_is_no_share_is_refused(value: str) -> None:
    with pytest.raises(Exception, match="on, off, or a share from 0 to 1"):
        load_settings({"TASKBEAM_ACCESS_LOG": value})


@pytest.mark.parametrize("outcome", [400, 499, 503, 1000, 4008])
def test_what_fails_and_sessions_are_always_written(outcome: int) -> None:
    log = AccessLog("p", 0.01, as_json=False, write=lambda line: None)
    assert all(log.is_due(outcome) for _ in range(10))


def test_the_default_is_one_of_a_hundred() -> None:
    assert load_settings({}).access_log == 0.01
