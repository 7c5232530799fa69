"""The two event loops that the processes run on: uvloop where it is installed, asyncio's own otherwise."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_EVERYWHERE: Final = "TASKBEAM_TEST_LOOP"
"""``asyncio``: all processes that the tests start run on asyncio's loop."""


def plain_asyncio(folder: Path) -> dict[str, str]:
    """Variables of a process that finds no uvloop; what keeps it from there is written into the folder."""
    hidden = folder / "without_uvloop"
    hidden.mkdir(exist_ok=True)
    (hidden / "uvloop.py").write_text("raise ImportError\n")
    return {"PYTHONPATH": str(hidden)}


def chosen_loop(folder: Path) -> dict[str, str]:
    """The variables that processes need for the loop that this run of the tests is about."""
    return plain_asyncio(folder) if os.environ.get(_EVERYWHERE) == "asyncio" else {}


def runs_on_uvloop(pid: int) -> bool:
    """Whether a process has loaded it. Linux only."""
    return "uvloop" in Path(f"/proc/{pid}/maps").read_text()
