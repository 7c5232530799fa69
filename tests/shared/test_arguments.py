"""The command line of a server: it answers questions, and starts nothing."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.support.processes import ROOT


@pytest.mark.parametrize("process", ["ws_server", "rest_gateway"])
@pytest.mark.parametrize(
    ("argument", "status", "said"),
    [
        ("--version", 0, f"taskbeam {version('taskbeam')}\n"),
        ("--help", 0, "usage: python -m "),
        ("--port=1", 2, "unrecognized arguments: --port=1\n"),
    ],
)
def test_argument(tmp_path: Path, process: str, argument: str, status: int, said: str) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", process, argument],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert answer.returncode == status
    assert said in answer.stdout + answer.stderr
    assert list(tmp_path.iterdir()) == []
