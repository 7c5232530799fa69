"""Which event loop the processes run on: uvloop, or asyncio's own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_VARIABLE: Final = "TASKBEAM_TEST_LOOP"
"""With the value ``asyncio``, all processes that the tests start run on asyncio's loop."""


def without_uvloop(folder: Path) -> dict[str, str]:
    """Environment variables that hide uvloop from a process: a module in ``folder`` that cannot be imported."""
    hidden = folder / "without_uvloop"
    hidden.mkdir(exist_ok=True)
    (hidden / "uvloop.py").write_text("raise ImportError\n")
    return {"PYTHONPATH": str(hidden)}


def chosen_loop_environ(folder: Path) -> dict[str, str]:
    """Environment variables for the loop that ``TASKBEAM_TEST_LOOP`` asks for."""
    return without_uvloop(folder) if os.environ.get(_VARIABLE) == "asyncio" else {}


def runs_on_uvloop(pid: int) -> bool:
    """Whether a process has loaded uvloop. Linux only."""
    return "uvloop" in Path(f"/proc/{pid}/maps").read_text()
