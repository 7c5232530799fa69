"""docs/howto/from_django.md: its commands as its reader pastes them, with the database of a real Django."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.support.django_environment import make_application_database
from tests.support.processes import ROOT, running

_PAGE: Final = ROOT / "docs" / "howto" / "from_django.md"
_BLOCKS: Final = re.findall(r"^```bash\n(.*?)^```$", _PAGE.read_text(), re.MULTILINE | re.DOTALL)


def _bash(script: str, folder: Path, **environ: str) -> str:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TASKBEAM_")}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=inherited | {"PATH": path} | environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_application_is_moved(tmp_path: Path) -> None:
    dry_run, take_in, serve, ask = _BLOCKS
    told = make_application_database(tmp_path / "db.sqlite3")
    assert _bash(dry_run, tmp_path).startswith("9 users would be added;")
    assert not (tmp_path / "var").exists()
    assert _bash(take_in, tmp_path).startswith("9 users added;")
    assert serve.startswith("export TASKBEAM_SECRET_KEYS_OLD=")
    with running(tmp_path / "var", SECRET_KEYS_OLD=told["key"]) as system:
        asked = ask.replace("http://localhost:8001", system.rest_url)
        tasks = json.loads(_bash(asked, tmp_path, TOKEN=told["access"]))
    assert [task["task"] for task in tasks] == ["First", "Second"]
