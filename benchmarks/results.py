"""The results of all cases, stored in ``results/latest.json``. The page is made from them alone."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from benchmarks.closed_loop import Window
from benchmarks.figures import Spread

LATEST: Final = Path(__file__).parent / "results" / "latest.json"
_NOTABLE: Final = 1.10  # a smaller change is not reported


class Target(msgspec.Struct):
    """One target and its measurement. ``before``: the measurement of the last run."""

    what: str
    bound: float
    at_most: bool
    unit: str
    measured: Spread
    load_bound: bool = False
    before: Spread | None = None

    @property
    def met(self) -> bool:
        median = self.measured.median
        return median <= self.bound if self.at_most else median >= self.bound

    @property
    def dropped(self) -> bool:
        """Worse than the last run by more than a tenth, without overlapping rounds."""
        if self.before is None:
            return False
        if self.at_most:
            return (
                self.measured.low > self.before.high and self.measured.median > self.before.median * _NOTABLE
            )
        return self.measured.high < self.before.low and self.measured.median * _NOTABLE < self.before.median


class Table(msgspec.Struct):
    """Further figures, as text."""

    title: str
    columns: list[str]
    rows: list[list[str]]


class Curve(msgspec.Struct):
    name: str
    x: list[float]
    y: list[float]


class Plot(msgspec.Struct):
    """Curves that are drawn; ``name``: by which ``benchmarks.plots`` finds them."""

    name: str
    x_label: str
    y_label: str
    curves: list[Curve]


class Findings(msgspec.Struct):
    """The results of one case. ``other_load``: the share of the machine that other processes took meanwhile."""

    targets: list[Target] = []
    tables: list[Table] = []
    plots: list[Plot] = []
    taken: str = ""
    machine: str = ""
    other_load: float = 0.0

    def at_least(
        self, what: str, bound: float, measured: Spread, *windows: list[Window], unit: str = "×"
    ) -> None:
        """Add a minimum for a ratio or a count; ``windows``: those of both sides of the ratio."""
        load_bound = any(2 * sum(window.load_bound for window in side) > len(side) for side in windows)
        self.targets.append(Target(what, bound, False, unit, measured, load_bound))

    def at_most(self, what: str, bound: float, unit: str, measured: Spread) -> None:
        self.targets.append(Target(what, bound, True, unit, measured))


class Results(msgspec.Struct):
    """The latest findings by the name of the case."""

    cases: dict[str, Findings] = {}

    def take(self, name: str, findings: Findings) -> None:
        """Replace a case's findings; its targets keep the last measurements in ``before``."""
        last = self.cases.get(name, Findings())
        before = {target.what: target.measured for target in last.targets}
        for target in findings.targets:
            target.before = before.get(target.what)
        self.cases[name] = findings


def load(path: Path = LATEST) -> Results:
    return msgspec.json.decode(path.read_bytes(), type=Results) if path.exists() else Results()


def save(results: Results, path: Path = LATEST) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
