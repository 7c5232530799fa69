"""docs/howto/from_django.md: its commands as its reader pastes them, with the database of a real Django."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.support.django_environment import make_application_database
from tests.support.ports import free_port
from tests.support.processes import ROOT
from tests.support.waiting import wait_until

_PAGE: Final = ROOT / "docs" / "howto" / "from_django.md"
_BLOCKS: Final = re.findall(r"^```bash\n(.*?)^```$", _PAGE.read_text(), re.MULTILINE | re.DOTALL)


def _environ(environ: dict[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TASKBEAM_")}
    return inherited | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"} | environ


def _bash(script: str, folder: Path, **environ: str) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=_environ(environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def _served(script: str, folder: Path, **environ: str) -> Iterator[None]:
    """While the script runs, which has said that it is ready."""
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
        yield
    except BaseException:
        print(log.read_text())
        raise
    finally:
        os.killpg(shell.pid, signal.SIGTERM)
        shell.wait(30)


def test_an_application_is_moved() -> None:
    with tempfile.TemporaryDirectory(prefix="taskbeam-") as name:  # the path of a Unix socket is short
        _move_an_application(Path(name))


def _move_an_application(folder: Path) -> None:
    dry_run, take_in, serve, ask = _BLOCKS
    told = make_application_database(folder / "db.sqlite3")
    assert _bash(dry_run, folder).startswith("9 users would be added;")
    assert not (folder / "var").exists()
    assert _bash(take_in, folder).startswith("9 users added;")
    assert "<the SECRET_KEY of settings.py>" in serve
    ws_port, rest_port = str(free_port()), str(free_port())
    with _served(
        serve.replace("<the SECRET_KEY of settings.py>", told["key"]),
        folder,
        TASKBEAM_WS_PORT=ws_port,
        TASKBEAM_REST_PORT=rest_port,
    ):
        asked = ask.replace("localhost:8001", f"localhost:{rest_port}")
        tasks = json.loads(_bash(asked, folder, TOKEN=told["access"]))
    assert [task["task"] for task in tasks] == ["First", "Second"]
