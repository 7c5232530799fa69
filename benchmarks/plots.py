"""The plots of the page, made from the results alone: which there are, what each shows, and below which table it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks import charts
from benchmarks.cases import hosts, postgres
from benchmarks.drawing import Picture
from benchmarks.report import RATES, Illustration, number
from benchmarks.results import Findings, Plot, Results
from benchmarks.servers import ROOT

FOLDER: Final = ROOT / "docs" / "images" / "plots"

_OURS: Final = "Taskbeam"

_PEERS: Final = {
    "REST, GET": {_OURS: "GET, ours", "PocketBase": "GET, PocketBase", "FastAPI": "GET, FastAPI"},
    "REST, POST": {_OURS: "POST, ours", "PocketBase": "POST, PocketBase", "FastAPI": "POST, FastAPI"},
    "WebSocket, read": {_OURS: "WebSocket read, ours", "FastAPI": "WebSocket read, FastAPI"},
    "WebSocket, create": {_OURS: "WebSocket create, ours", "FastAPI": "WebSocket create, FastAPI"},
}
"""Rows of the table of ``peers``, by group and name."""

_RATIOS: Final = {
    "PocketBase": ("peers", {"GET": "GET, to PocketBase", "POST": "POST, to PocketBase"}),
    "FastAPI": ("peers", {"GET": "GET, to FastAPI", "POST": "POST, to FastAPI"}),
    "raw aiohttp": (
        "rest",
        {
            "GET": "GET one task, to raw aiohttp",
            "POST": "POST, to raw aiohttp",
            "list of 50": "list of 50, to raw aiohttp",
        },
    ),
    "raw WebSocket": (
        "websocket",
        {"read": "read, to the echo", "create": "durable create, to the echo"},
    ),
    "raw broadcast": (
        "fan_out",
        {
            "4 writes in flight": "fan-out to 1,000 sockets, four writes in flight",
            "1 write at a time": "fan-out to 1,000 sockets, one write after the other",
        },
    ),
    "bare bcrypt": ("passwords", {"logins": "logins, to bare bcrypt"}),
}
"""Targets by what they compare with: their case, and the name of each."""

_LATENCIES: Final = {
    "websocket": ("WebSocket", 64, ("read", "create", "update", "delete", "raw echo")),
    "rest": (
        "REST",
        32,
        ("GET one task", "list of 50", "POST", "GET one task, raw aiohttp", "POST, raw aiohttp"),
    ),
}
"""Rows of the tables of rates: the title's first word, the connections, and the requests."""


def draw(results: Results) -> list[Illustration]:
    """All plots of the results. What was not measured yet is left out."""
    return [*_ratios(results), *_of_cases(results.cases)]


def write(illustrations: Sequence[Illustration], folder: Path = FOLDER) -> None:
    """Write the files, and remove those of plots that are no more."""
    folder.mkdir(parents=True, exist_ok=True)
    names = {f"{each.name}.svg" for each in illustrations}
    for file in folder.glob("*.svg"):
        if file.name not in names:
            file.unlink()
    for each in illustrations:
        (folder / f"{each.name}.svg").write_text(each.picture.svg)


def _ratios(results: Results) -> Iterator[Illustration]:
    rows = []
    for group, (case, targets) in _RATIOS.items():
        measured = {target.what: target.measured for target in results.cases.get(case, Findings()).targets}
        for name, what in targets.items():
            if what in measured:
                rows.append(charts.Ratio(group, name, measured[what]))
    if rows:
        note = "Both took turns. Dot: the median; line: least to greatest round."
        picture = charts.ratios(
            f"{_OURS}'s throughput, as a multiple of that of others",
            note,
            "times the other's operations a second",
            rows,
        )
        yield Illustration("ratios", "", "", picture)


def _of_cases(cases: Mapping[str, Findings]) -> Iterator[Illustration]:
    if "peers" in cases:
        yield Illustration("peers", "peers", RATES, _peers(cases["peers"]))
    for case, (title, connections, requests) in _LATENCIES.items():
        if case in cases:
            yield Illustration(
                f"latency_{case}", case, RATES, _latencies(title, connections, cases[case], requests)
            )
    if "postgres" in cases:
        yield Illustration("engines", "postgres", RATES, _engines(cases["postgres"]))
    if "hosts" in cases:
        yield Illustration("hosts", "hosts", hosts.DELAYS, _hosts(cases["hosts"]))
    if "growth" in cases:
        for name in ("growth_of_one_user", "growth_in_all"):
            rates, tails = (_curves(cases["growth"], f"{name}_{what}") for what in ("rate", "p99"))
            table = f"Operations a second; p99 in ms, against {rates.x_label}"
            yield Illustration(name, "growth", table, _growth(rates, tails, cases["growth"].taken))
    for memory in cases.get("idle50k", Findings()).plots:
        yield Illustration(memory.name, "idle50k", "Beside that", _memory(memory, cases["idle50k"].taken))


def _peers(findings: Findings) -> Picture:
    rates = _column(findings, "per second")
    rows = [
        charts.Bar(group, name, rates[row], name == _OURS)
        for group, rows in _PEERS.items()
        for name, row in rows.items()
    ]
    note = f"Each server on one core, {findings.taken}. More is better."
    return charts.bars("Requests a second", note, "requests a second", rows)


def _latencies(title: str, connections: int, findings: Findings, requests: Sequence[str]) -> Picture:
    p50, p99 = _column(findings, "p50, ms"), _column(findings, "p99, ms")
    rows = [charts.Latency(name, p50[name], p99[name], "raw" not in name) for name in requests]
    note = f"{connections} connections, one request in flight on each; {findings.taken}. Less is better."
    return charts.latencies(f"{title}: from the request to the answer", note, rows)


def _engines(findings: Findings) -> Picture:
    rates = _column(findings, "per second")
    rows = [
        charts.Bar(request, name.partition(" worker")[0], rates[row] / 1000, name != postgres.ECHO)
        for request in postgres.REQUESTS
        for name, row in postgres.rows_of(request).items()
    ]
    note = (
        f"{postgres.CONNECTIONS} connections for each of 1, 2 or 4 workers, on two cores; {findings.taken}."
    )
    return charts.bars("SQLite and PostgreSQL", note, "thousand requests a second", rows)


def _hosts(findings: Findings) -> Picture:
    p50, p99 = (_column(findings, name, hosts.DELAYS) for name in ("p50, ms", "p99, ms"))
    rows = [charts.Latency(name, p50[name], p99[name], hosts.is_delivery(name)) for name in p50]
    note = f"From a POST to one host to the socket of another; {findings.taken}. Less is better."
    return charts.latencies("From one host to another", note, rows)


def _growth(rates: Plot, tails: Plot, taken: str) -> Picture:
    x = rates.curves[0].x
    names = [curve.name for curve in rates.curves]
    columns = [charts.Column(plot.y_label, [curve.y for curve in plot.curves]) for plot in (rates, tails)]
    note = f"Each curve from zero up: level is where size does not matter. {taken}."
    return charts.small_curves(
        f"From {number(x[0])} to {number(x[-1])} {rates.x_label}", note, rates.x_label, x, names, columns
    )


def _memory(plot: Plot, taken: str) -> Picture:
    (curve,) = plot.curves
    each = (curve.y[-1] - curve.y[0]) / (curve.x[-1] - curve.x[0]) * 1024
    note = f"{number(each)} KB for each connection, {taken}. Less is better."
    return charts.large_curve("Memory of three workers", note, (plot.x_label, plot.y_label), curve.x, curve.y)


def _column(findings: Findings, name: str, title: str = RATES) -> dict[str, float]:
    """A column of the table of that title, by the names of its rows."""
    (table,) = (table for table in findings.tables if table.title == title)
    place = table.columns.index(name)
    return {row[0]: float(row[place].replace(",", "")) for row in table.rows}


def _curves(findings: Findings, name: str) -> Plot:
    (plot,) = (plot for plot in findings.plots if plot.name == name)
    return plot
