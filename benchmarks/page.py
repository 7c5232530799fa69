"""``python -m benchmarks.page``: write the page and its plots again from the stored results."""

from __future__ import annotations

import os
from typing import Final

from benchmarks import plots, report, results
from benchmarks.catalogue import CASES
from benchmarks.results import Results
from benchmarks.servers import ROOT

PAGE: Final = ROOT / "docs" / "reference" / "performance.md"
_PLOTS: Final = os.path.relpath(plots.FOLDER, PAGE.parent)


def text(found: Results) -> str:
    return report.page(found, CASES, plots.draw(found), _PLOTS)


def write(found: Results) -> None:
    plots.write(plots.draw(found))
    PAGE.write_text(text(found))


if __name__ == "__main__":
    write(results.load())
