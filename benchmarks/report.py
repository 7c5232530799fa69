"""The page, out of the results: one table for what is to be reached, then each case with how it was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from benchmarks.cases import Case
from benchmarks.closed_loop import Window
from benchmarks.figures import Spread
from benchmarks.results import Findings, Reach, Results, Table

_NOISY: Final = 0.10


def rate_table(windows: Mapping[str, Sequence[Window]], title: str = "Absolute figures") -> Table:
    """Medians over the windows. They differ from machine to machine and from hour to hour; the ratios hold."""
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
    """Three digits that count, thousands apart."""
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 1000 else f"{rounded:g}"


def percent(part: float) -> str:
    return f"{part * 100:.0f} %"


def page(results: Results, cases: Sequence[Case]) -> str:
    """``docs/reference/performance.md``."""
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
        lines += [_row(reach) for reach in findings.reach]
    for case, findings in measured:
        lines += ["", f"## {case.title}", "", " ".join(case.how.split()), "", _taken(findings)]
        for table in findings.tables:
            lines += ["", *_markdown(table)]
        for plot in findings.plots:
            lines += ["", f"![{plot.y_label} against {plot.x_label}]({plot.name}.svg)"]
    return "\n".join(lines) + "\n"


def summary(name: str, findings: Findings) -> str:
    """A case's lines for the terminal."""
    lines = [f"{name}: {reach.what}: {_measured(reach)} ({_verdict(reach)})" for reach in findings.reach]
    for table in findings.tables:
        lines += [f"  {row}" for row in _markdown(table)]
    if findings.foreign > _NOISY:
        lines.append(f"  {_noise(findings)}")
    return "\n".join(lines)


def _row(reach: Reach) -> str:
    return f"| {reach.what} | {_target(reach)} | {_measured(reach)} | {_verdict(reach)} | {_change(reach)} |"


def _target(reach: Reach) -> str:
    return f"{'≤' if reach.at_most else '≥'} {_with_unit(reach.bound, reach.unit)}"


def _measured(reach: Reach) -> str:
    spread = reach.measured
    text = _with_unit(spread.median, reach.unit)
    if spread.low != spread.high:
        text += f" [{number(spread.low)} to {number(spread.high)}]"
    return text


def _with_unit(value: float, unit: str) -> str:
    return f"{number(value)} {unit}"


def _verdict(reach: Reach) -> str:
    words = ["met" if reach.met else "**not met**"]
    if reach.load_bound:
        words.append("load-bound: the load generator was the limit")
    return "; ".join(words)


def _change(reach: Reach) -> str:
    if reach.before is None:
        return "–"
    text = number(reach.before.median)
    if reach.before.median:
        text += f" ({(reach.measured.median / reach.before.median - 1) * 100:+.0f} %)"
    return f"{text} **worse**" if reach.dropped else text


def _taken(findings: Findings) -> str:
    text = f"Taken {findings.taken} on {findings.machine}."
    if findings.foreign > _NOISY:
        text += f" {_noise(findings)}"
    return text


def _noise(findings: Findings) -> str:
    return f"Others took {percent(findings.foreign)} of the machine meanwhile: repeat it."


def _markdown(table: Table) -> list[str]:
    return [
        f"{table.title}:",
        "",
        f"| {' | '.join(table.columns)} |",
        "|" + "---|" * len(table.columns),
        *[f"| {' | '.join(row)} |" for row in table.rows],
    ]
