"""Makes the page from the results: a table of all targets, then each case and how it was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from benchmarks.cases import Case
from benchmarks.closed_loop import Window
from benchmarks.drawing import Picture
from benchmarks.figures import Spread
from benchmarks.results import Findings, Results, Table, Target

RATES: Final = "Absolute figures"
"""The title of a table of rates."""

_NOISY: Final = 0.10


class Illustration(NamedTuple):
    """A picture beside the page. It stands below the table ``table`` of ``case``, or without a case below the targets."""

    name: str
    case: str
    table: str
    picture: Picture


def rate_table(windows: Mapping[str, Sequence[Window]], title: str = RATES) -> Table:
    """A table of medians over the windows. They depend on the machine; the ratios do not."""
    rows = []
    for name, of in windows.items():
        rows.append(
            [
                name,
                number(Spread.of([window.rate for window in of]).median),
                number(Spread.of([window.p50 for window in of]).median),
                number(Spread.of([window.p99 for window in of]).median),
                percent(Spread.of([window.server_cpu for window in of]).median),
                percent(Spread.of([window.client_cpu for window in of]).median),
            ]
        )
    return Table(title, ["", "per second", "p50, ms", "p99, ms", "server CPU", "load CPU"], rows)


def number(value: float) -> str:
    """Three significant digits, with thousands separators."""
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 1000 else f"{rounded:g}"


def percent(part: float) -> str:
    return f"{part * 100:.0f} %"


def page(
    results: Results, cases: Sequence[Case], illustrations: Sequence[Illustration] = (), folder: str = ""
) -> str:
    """``docs/reference/performance.md``; ``folder``: where its pictures are, as seen from it."""

    def pictures(case: str, table: str) -> list[str]:
        shown = [each for each in illustrations if (each.case, each.table) == (case, table)]
        return [line for each in shown for line in ("", f"![{each.picture.words}]({folder}/{each.name}.svg)")]

    measured = [(case, results.cases[case.name]) for case in cases if case.name in results.cases]
    lines = [
        "# Performance",
        "",
        "Made by `make bench`; do not edit. Servers on one core, the load on another. A ratio compares windows that took",
        "turns in one run, and is the median over the rounds; in brackets, the least and the greatest round. Absolute",
        "figures wander with the machine.",
        "",
        "| what | target | measured | | last time |",
        "|---|---|---|---|---|",
    ]
    for case, findings in measured:
        lines.append(f"| **{case.title}** | | | | |")
        lines += [_row(target) for target in findings.targets]
    lines += pictures("", "")
    for case, findings in measured:
        lines += ["", f"## {case.title}", "", " ".join(case.how.split()), "", _taken(findings)]
        for table in findings.tables:
            lines += ["", *_markdown(table), *pictures(case.name, table.title)]
    return "\n".join(lines) + "\n"


def summary(name: str, findings: Findings) -> str:
    """A case's lines for the terminal."""
    lines = [
        f"{name}: {target.what}: {_measured(target)} ({_verdict(target)})" for target in findings.targets
    ]
    for table in findings.tables:
        lines += [f"  {row}" for row in _markdown(table)]
    if findings.other_load > _NOISY:
        lines.append(f"  {_noise(findings)}")
    return "\n".join(lines)


def _row(target: Target) -> str:
    return f"| {target.what} | {_target(target)} | {_measured(target)} | {_verdict(target)} | {_change(target)} |"


def _target(target: Target) -> str:
    return f"{'≤' if target.at_most else '≥'} {_with_unit(target.bound, target.unit)}"


def _measured(target: Target) -> str:
    spread = target.measured
    text = _with_unit(spread.median, target.unit)
    if spread.low != spread.high:
        text += f" [{number(spread.low)} to {number(spread.high)}]"
    return text


def _with_unit(value: float, unit: str) -> str:
    return f"{number(value)} {unit}"


def _verdict(target: Target) -> str:
    words = ["met" if target.met else "**not met**"]
    if target.load_bound:
        words.append("load-bound: the load generator was the limit")
    return "; ".join(words)


def _change(target: Target) -> str:
    if target.before is None:
        return "–"
    text = number(target.before.median)
    if target.before.median:
        text += f" ({(target.measured.median / target.before.median - 1) * 100:+.0f} %)"
    return f"{text} **worse**" if target.dropped else text


def _taken(findings: Findings) -> str:
    text = f"Taken {findings.taken} on {findings.machine}."
    if findings.other_load > _NOISY:
        text += f" {_noise(findings)}"
    return text


def _noise(findings: Findings) -> str:
    return f"Others took {percent(findings.other_load)} of the machine meanwhile: repeat it."


def _markdown(table: Table) -> list[str]:
    return [
        f"{table.title}:",
        "",
        f"| {' | '.join(table.columns)} |",
        "|" + "---|" * len(table.columns),
        *[f"| {' | '.join(row)} |" for row in table.rows],
    ]
