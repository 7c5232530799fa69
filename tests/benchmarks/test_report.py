"""The page of performance says what was measured; ratios are taken round by round, and a drop has to be beyond the noise."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import results
from benchmarks.cases import Case, Effort
from benchmarks.closed_loop import Window
from benchmarks.figures import Spread, percentile, ratios
from benchmarks.http_load import answer_length, request
from benchmarks.report import number, page
from benchmarks.results import Findings, Plot, Results, Table, Target


async def _nothing(_: Effort) -> Findings:
    raise AssertionError("a page is made without measuring")


CASE = Case("reads", "Reads", "In a\nclosed loop.", _nothing)


def window(*, client: float, server: float) -> Window:
    return Window(100.0, 1.0, 2.0, 100, client, server, server)


def target(
    measured: tuple[float, float, float],
    before: tuple[float, float, float] | None = None,
    *,
    at_most: bool = False,
) -> Target:
    return Target("x", 1.0, at_most, "×", Spread(*measured), before=before and Spread(*before))


def test_ratios_are_taken_round_by_round() -> None:
    """A machine that is half as fast for a round changes no ratio."""
    assert ratios([80, 40, 88], [100, 50, 110]) == Spread(0.8, 0.8, 0.8)


@pytest.mark.parametrize(
    ("part", "value"), [(0.5, 51), (0.99, 100), (1.0, 100)], ids=["median", "99th", "the greatest"]
)
def test_percentile(part: float, value: int) -> None:
    assert percentile(range(1, 101), part) == value


@pytest.mark.parametrize(
    ("measured", "met"), [((1.0, 0.5, 1.5), True), ((0.99, 0.9, 1.2), False)], ids=["reached", "missed"]
)
def test_the_median_is_what_counts(measured: tuple[float, float, float], met: bool) -> None:
    assert target(measured).met is met
    assert target(measured, at_most=True).met is (measured[0] <= 1.0)


@pytest.mark.parametrize(
    ("measured", "before", "at_most", "dropped"),
    [
        ((0.80, 0.78, 0.82), None, False, False),
        ((0.80, 0.78, 0.82), (1.0, 0.95, 1.05), False, True),
        ((0.80, 0.78, 0.96), (1.0, 0.95, 1.05), False, False),  # the rounds overlap
        ((0.94, 0.93, 0.94), (1.0, 0.95, 1.05), False, False),  # no news
        ((1.20, 1.18, 1.22), (1.0, 0.95, 1.05), False, False),  # better
        ((1.20, 1.18, 1.22), (1.0, 0.95, 1.05), True, True),
    ],
)
def test_a_drop_is_beyond_the_noise(
    measured: tuple[float, float, float],
    before: tuple[float, float, float] | None,
    at_most: bool,
    dropped: bool,
) -> None:
    assert target(measured, before, at_most=at_most).dropped is dropped


def test_a_busy_load_generator_is_said() -> None:
    found = Findings()
    idle, busy = window(client=0.5, server=1.0), window(client=0.99, server=0.7)
    found.at_least("one busy window", 1.0, Spread(1, 1, 1), [idle, idle, busy])
    found.at_least("mostly busy", 1.0, Spread(1, 1, 1), [idle, idle, idle], [idle, busy, busy])
    assert [target.load_bound for target in found.targets] == [False, True]


def test_a_run_remembers_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "results" / "latest.json"
    kept = results.load(path)
    assert kept.cases == {}
    for median in (1.0, 2.0):
        findings = Findings(plots=[Plot("p", "x", "y", [])])
        findings.at_least("reads", 1.0, Spread(median, median, median))
        kept.take("reads", findings)
        results.save(kept, path)
        kept = results.load(path)
    (line,) = kept.cases["reads"].targets
    assert (line.measured.median, line.before and line.before.median) == (2.0, 1.0)


def test_page() -> None:
    findings = Findings(taken="2026-11-22", machine="2 cores", other_load=0.3)
    findings.tables.append(Table("Figures", ["", "n"], [["a", "1"]]))
    findings.at_least("reads, to the echo", 0.8, Spread(0.5, 0.4, 0.6))
    findings.targets[0].before = Spread(1.0, 0.9, 1.1)
    text = page(Results({"reads": findings}), [CASE, CASE._replace(name="unmeasured", title="Not yet")])
    assert "| reads, to the echo | ≥ 0.8 × | 0.5 × [0.4 to 0.6] | **not met** | 1 (-50 %) **worse** |" in text
    assert "In a closed loop.\n\nTaken 2026-11-22 on 2 cores. Others took 30 %" in text
    assert "Figures:\n\n|  | n |\n|---|---|\n| a | 1 |" in text
    assert "Not yet" not in text


@pytest.mark.parametrize(
    ("value", "text"),
    [(41776.2, "41,800"), (1234.5, "1,230"), (999.6, "1,000"), (0.0729, "0.0729"), (8.0, "8")],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("answer", "length"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Le", 0),
        (b"HTTP/1.1 200 OK\r\nA: b\r\ncontent-length: 5\r\n\r\nab", 49),
        (b"HTTP/1.1 204 No Content\r\nA: b\r\n\r\n", 33),
    ],
    ids=["head incomplete", "body incomplete", "no body"],
)
def test_length_of_an_answer(answer: bytes, length: int) -> None:
    assert answer_length(answer) == length


def test_an_answer_without_a_length_is_refused() -> None:
    with pytest.raises(ValueError, match="without a length"):
        answer_length(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")


def test_a_request_says_how_long_it_is() -> None:
    assert request("POST", "/", "t", b"{}") == (
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer t\r\n"
        b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    )
