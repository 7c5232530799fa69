"""A wall clock that a test sets, for processes of its own; the uptime goes on as it is."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.loops import chosen_loop

_SITE = """
import os, time

_path = os.environ["TEST_CLOCK"]
_time, _time_ns = time.time, time.time_ns

def _ahead():
    with open(_path) as file:
        return int(file.read() or 0)

time.time = lambda: _time() + _ahead()
time.time_ns = lambda: _time_ns() + _ahead() * 1_000_000_000
"""


class SettableClock:
    """Processes that get ``environ`` have the time of a file in ``folder``."""

    def __init__(self, folder: Path) -> None:
        site = folder / "clock"
        site.mkdir()
        (site / "sitecustomize.py").write_text(_SITE)
        self._path = site / "ahead"
        self.set(0)
        others = chosen_loop(folder).get("PYTHONPATH", os.environ.get("PYTHONPATH"))
        path = os.pathsep.join(filter(None, (str(site), others)))
        self.environ = {"PYTHONPATH": path, "TEST_CLOCK": str(self._path)}

    def set(self, ahead: int) -> None:
        """So many seconds ahead of the true time; negative: behind it."""
        new = self._path.with_suffix(".new")
        new.write_text(str(ahead))
        new.rename(self._path)
