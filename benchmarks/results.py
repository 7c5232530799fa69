"""What the cases found, as it is kept in ``results/latest.json``; the page is made from nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from benchmarks.closed_loop import Window
from benchmarks.figures import Spread

LATEST: Final = Path(__file__).parent / "results" / "latest.json"
_NOTABLE: Final = 1.10  # less than this is no news, even where the rounds of both runs lie apart


class Reach(msgspec.Struct):
    """One line of what is to be reached. ``before`` is the last run's measurement."""

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
        """Worse than the last time beyond the noise: by more than a tenth, and no round of both runs alike."""
        if self.before is None:
            return False
        if self.at_most:
            return (
                self.measured.low > self.before.high and self.measured.median > self.before.median * _NOTABLE
            )
        return self.measured.high < self.before.low and self.measured.median * _NOTABLE < self.before.median


class Table(msgspec.Struct):
    """Figures beside the reach, as text."""

    title: str
    columns: list[str]
    rows: list[list[str]]


class Curve(msgspec.Struct):
    name: str
    x: list[float]
    y: list[float]


class Plot(msgspec.Struct):
    """Curves over a logarithmic axis; ``name`` is the file's, without its ending."""

    name: str
    x_label: str
    y_label: str
    curves: list[Curve]


class Findings(msgspec.Struct):
    """What one case found. ``foreign`` is the share of the machine that others took meanwhile."""

    reach: list[Reach] = []
    tables: list[Table] = []
    plots: list[Plot] = []
    taken: str = ""
    machine: str = ""
    foreign: float = 0.0

    def at_least(
        self, what: str, bound: float, measured: Spread, *windows: list[Window], unit: str = "×"
    ) -> None:
        """A ratio or a count that is to be reached; ``windows`` are those of either side."""
        load_bound = any(2 * sum(window.load_bound for window in side) > len(side) for side in windows)
        self.reach.append(Reach(what, bound, False, unit, measured, load_bound))

    def at_most(self, what: str, bound: float, unit: str, measured: Spread) -> None:
        self.reach.append(Reach(what, bound, True, unit, measured))


class Results(msgspec.Struct):
    """The newest findings of every case, by its name."""

    cases: dict[str, Findings] = {}

    def take(self, name: str, findings: Findings) -> None:
        """Put a case's findings in the place of its last ones, and remember what those were."""
        last = self.cases.get(name, Findings())
        before = {reach.what: reach.measured for reach in last.reach}
        for reach in findings.reach:
            reach.before = before.get(reach.what)
        self.cases[name] = findings


def load(path: Path = LATEST) -> Results:
    return msgspec.json.decode(path.read_bytes(), type=Results) if path.exists() else Results()


def save(results: Results, path: Path = LATEST) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
