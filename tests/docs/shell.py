"""A reader's shell, in which the blocks of a page are pasted."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import ROOT
from tests.support.waiting import wait_until


def blocks_of(page: str) -> list[str]:
    """What the reader of a how-to pastes, one after the other."""
    text = (ROOT / "docs" / "howto" / page).read_text()
    return re.findall(r"^```bash\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def _environ(environ: dict[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TASKBEAM_")}
    return inherited | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"} | environ


def bash(script: str, folder: Path, **environ: str) -> str:
    """What it writes; it must succeed."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=_environ(environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@contextmanager
def served(script: str, folder: Path, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    """While the script runs, which has said that it is ready; ended in the end, where it still runs."""
    log = folder / "log"
    with log.open("wb") as output:
        shell = subprocess.Popen(
            ["bash", "-c", script],
            cwd=folder,
            env=_environ(environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait_until(lambda: "ready at http" in log.read_text(), 30, "readiness")
        yield shell
    except BaseException:
        print(log.read_text())
        raise
    finally:
        if shell.poll() is None:
            os.killpg(shell.pid, signal.SIGTERM)
        shell.wait(30)
