"""docs/howto/use_the_client.md, done as it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.clients import Rest
from tests.support.processes import ROOT, System

_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_example_runs_as_it_stands(system: System, tmp_path: Path) -> None:
    example, provider = _BLOCK.findall((ROOT / "docs/howto/use_the_client.md").read_text())
    Rest(system)("POST", "/register/", {"username": "ann", "password": "a good password"})
    script = tmp_path / "example.py"
    script.write_text(example)
    environ = {**os.environ, "REST": system.rest_url, "SOCKET": system.ws_url, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, script], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = [re.sub(r"[0-9a-f-]{36}", "<uuid>", line) for line in done.stdout.splitlines()]
    assert sorted(lines) == sorted(
        ["0 tasks at 0", "1 create Buy milk", "2 update Buy milk", "done Buy milk", "3 delete <uuid>"]
    )
    compile(provider, "provider", "exec")
