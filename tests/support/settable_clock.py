"""A wall clock that a test sets in the processes that it starts. Their uptime is not changed."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.event_loops import chosen_loop_environ

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
    """Processes started with ``environ`` read their clock's offset from a file in ``folder``."""

    def __init__(self, folder: Path) -> None:
        site = folder / "clock"
        site.mkdir()
        (site / "sitecustomize.py").write_text(_SITE)
        self._path = site / "ahead"
        self.set(0)
        others = chosen_loop_environ(folder).get("PYTHONPATH", os.environ.get("PYTHONPATH"))
        path = os.pathsep.join(filter(None, (str(site), others)))
        self.environ = {"PYTHONPATH": path, "TEST_CLOCK": str(self._path)}

    def set(self, ahead: int) -> None:
        """Set the clock this many seconds ahead of the true time; behind it where negative."""
        new = self._path.with_suffix(".new")
        new.write_text(str(ahead))
        new.rename(self._path)
