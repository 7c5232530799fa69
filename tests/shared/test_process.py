"""What every process does, whatever it serves."""

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

_SAYS_WHETHER_GARBAGE_IS_COLLECTED = """
import gc, os, sys
from shared.startup import prepare
prepare()
print("while it imports:", gc.isenabled())
from shared import process

async def serve(settings, backend, stop):
    print("while it serves:", gc.isenabled())

sys.exit(process.run("ws_server", serve, os.environ, lambda settings: settings.ws_address))
"""


def _run(source: str, system: System, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", source],
        check=False,
        cwd=ROOT,
        env={**system.environ, **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_garbage_is_collected_as_soon_as_all_is_imported(tmp_path: Path) -> None:
    ended = _run(_SAYS_WHETHER_GARBAGE_IS_COLLECTED, System(tmp_path))
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == ["while it imports: False", "while it serves: True"]


def test_a_process_does_not_go_on_without_the_watch_of_its_supervisor(tmp_path: Path) -> None:
    ended = _run(_WATCH_FAILS, System(tmp_path), TASKBEAM_SUPERVISOR_PID="1")
    assert ended.returncode == 1
    assert "CRITICAL ws_server: a defect ended this process" in ended.stderr
    assert "RuntimeError: the watch has failed" in ended.stderr
