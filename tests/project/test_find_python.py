"""`.ci/find_python` finds an interpreter that works, past names that lead nowhere."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.support.processes import ROOT

VERSION = "3.99"


def _executable(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def _find(version: str, *folders: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([*map(str, folders), "/usr/bin", "/bin"])
    return subprocess.run(
        [ROOT / ".ci" / "find_python", version],
        env={"PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_first_that_works_is_found_past_those_that_do_not(tmp_path: Path) -> None:
    broken, other, good = (tmp_path / name for name in ("broken", "other", "good"))
    _executable(broken / f"python{VERSION}", "echo 'command not found' >&2; exit 127")
    _executable(other / f"python{VERSION}", "echo 2.7 /another")
    _executable(good / f"python{VERSION}", "echo 3.99 /the/good/one")
    found = _find(VERSION, broken, other, good)
    assert (found.returncode, found.stdout) == (0, "/the/good/one\n"), found


def test_the_ones_that_pyenv_keeps_are_found(tmp_path: Path) -> None:
    _executable(tmp_path / "bin" / "pyenv", f"echo {tmp_path}/pyenv")
    _executable(tmp_path / "bin" / f"python{VERSION}", "exit 127")
    kept = tmp_path / "pyenv" / "versions"
    _executable(kept / f"{VERSION}.99" / "bin" / f"python{VERSION}", "exit 1")
    _executable(kept / f"{VERSION}.1" / "bin" / f"python{VERSION}", "echo 3.99 /the/good/one")
    found = _find(VERSION, tmp_path / "bin")
    assert (found.returncode, found.stdout) == (0, "/the/good/one\n"), found


def test_there_may_be_none(tmp_path: Path) -> None:
    _executable(tmp_path / f"python{VERSION}", "exit 127")
    found = _find(VERSION, tmp_path)
    assert (found.returncode, found.stdout, found.stderr) == (1, "", "")
