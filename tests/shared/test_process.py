"""A process whose background tasks fail ends, and says why."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.processes import ROOT, System

_WATCH_FAILS = """
import asyncio, os, sys
from shared import process

async def parent_ends(supervisor):
    await serving.wait()
    raise RuntimeError("the watch has failed")

async def serve(settings, backend, stop):
    serving.set()
    await stop

serving = asyncio.Event()
process.parent_ends = parent_ends
sys.exit(process.run("ws_server", serve, os.environ, lambda settings: settings.ws_address))
"""


def test_a_process_does_not_go_on_without_the_watch_of_its_supervisor(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _WATCH_FAILS],
        check=False,
        cwd=ROOT,
        env={**System(tmp_path).environ, "TASKBEAM_SUPERVISOR_PID": "1"},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert ended.returncode == 1
    assert "CRITICAL ws_server: a defect ended this process" in ended.stderr
    assert "RuntimeError: the watch has failed" in ended.stderr
