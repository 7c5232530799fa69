"""``python -m benchmarks.page``: write the page and its plots again from the stored results."""

from __future__ import annotations

from typing import Final

from benchmarks import plots, report, results
from benchmarks.catalogue import CASES
from benchmarks.results import Results
from benchmarks.servers import ROOT

PAGE: Final = ROOT / "docs" / "reference" / "performance.md"


def write(found: Results) -> None:
    plots.draw(found, PAGE.parent)
    PAGE.write_text(report.page(found, CASES))


if __name__ == "__main__":
    write(results.load())
