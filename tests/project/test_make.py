"""The Makefile makes the environment when it has to, and only then, and says in one line what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import ROOT

BASE = ".venv/.base"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "Makefile", tmp_path)
    return tmp_path


def make(
    checkout: Path, *arguments: str, python: str | Path = sys.executable
) -> subprocess.CompletedProcess[str]:
    # The suite itself runs under make: its variables are not ours.
    environment = {
        name: value for name, value in os.environ.items() if "MAKE" not in name and name != "MFLAGS"
    }
    return subprocess.run(
        ["make", f"PYTHON={python}", *arguments],
        cwd=checkout,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def stand_in(folder: Path, script: str) -> Path:
    """A Python that is not all there."""
    python = folder / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    return python


def test_help_is_the_default(checkout: Path) -> None:
    said = make(checkout)
    assert said.returncode == 0
    assert [line.split()[0] for line in said.stdout.splitlines()] == [
        "help",
        "run",
        "demo",
        "test",
        "coverage",
        "check",
        "lint",
        "bench",
        "docs",
        "clean",
    ]
    assert not (checkout / ".venv").exists()


def test_environment_is_made_again_only_when_it_must_be(checkout: Path) -> None:
    assert make(checkout, BASE).returncode == 0
    made = (checkout / BASE).stat().st_mtime_ns
    assert make(checkout, BASE).stdout == ""
    assert (checkout / BASE).stat().st_mtime_ns == made

    # Another Python made it, and pip was cut off: what the environment held is gone.
    (checkout / BASE).write_text("3 10 0 final 0 cpython /elsewhere\n")
    (checkout / ".venv" / ".unfinished").touch()
    (checkout / ".venv" / ".run").touch()
    # PYTHON is the environment's own, as in a shell that has activated it.
    assert make(checkout, BASE, python=checkout / ".venv" / "bin" / "python").returncode == 0
    assert (checkout / BASE).stat().st_mtime_ns != made
    assert not (checkout / ".venv" / ".unfinished").exists()
    assert not (checkout / ".venv" / ".run").exists()


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ('case "$2" in *version_info*) exit 1;; esac', "Python 3.11 or later is needed"),
        ('case "$2" in *ensurepip*) exit 1;; esac', "has no venv module"),
        ("exit 1", "does not run here"),
    ],
)
def test_an_unfit_python_is_refused_in_one_line(checkout: Path, script: str, complaint: str) -> None:
    refused = make(checkout, "run", python=stand_in(checkout, script))
    assert refused.returncode == 2
    ours = [line for line in refused.stderr.splitlines() if not line.startswith("make")]
    assert len(ours) == 1
    assert complaint in ours[0]
    assert not (checkout / ".venv").exists()


def test_a_missing_python_is_refused_in_one_line(checkout: Path) -> None:
    refused = make(checkout, "test", python="no-such-python")
    assert refused.returncode == 2
    assert refused.stderr.startswith("taskbeam: no-such-python does not run here")


def test_clean_leaves_the_data(checkout: Path) -> None:
    for folder in (".venv", "var/__pycache__", "shared/__pycache__", ".mypy_cache"):
        (checkout / folder).mkdir(parents=True)
    (checkout / "var" / "taskbeam.db").touch()
    assert make(checkout, "clean").returncode == 0
    left = sorted(str(path.relative_to(checkout)) for path in checkout.rglob("*"))
    assert left == ["Makefile", "shared", "var", "var/__pycache__", "var/taskbeam.db"]
