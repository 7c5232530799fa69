"""The plots beside the page, as small SVG files."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from matplotlib import rc_context
from matplotlib.figure import Figure

from benchmarks.results import Plot, Results

# Text as text, and fixed ids: the same results make the same file.
_STYLE: Final = {"svg.fonttype": "none", "svg.hashsalt": "taskbeam", "font.size": 9}


def draw(results: Results, folder: Path) -> None:
    """All plots of the results."""
    for findings in results.cases.values():
        for plot in findings.plots:
            _draw(plot, folder / f"{plot.name}.svg")


def _draw(plot: Plot, path: Path) -> None:
    with rc_context(_STYLE):
        figure = Figure(figsize=(5.5, 3.2), layout="constrained")
        axes = figure.subplots()
        for curve in plot.curves:
            axes.plot(curve.x, curve.y, marker="o", label=curve.name)
        axes.set(xscale="log", yscale="log", xlabel=plot.x_label, ylabel=plot.y_label)
        axes.grid(visible=True, alpha=0.3)
        figure.legend(loc="outside right center", frameon=False)
        figure.savefig(path, metadata={"Date": None})
