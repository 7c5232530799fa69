"""The how-to of the commands for users, done as it says, from its first block to its last, by the README's user."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.clients import Rest
from tests.support.processes import ROOT, System

_PAGE = ROOT / "docs" / "howto" / "use_the_command.md"


def test_the_page_as_it_is_pasted(system: System, tmp_path: Path) -> None:
    Rest(system)("POST", "/register/", {"username": "ann", "password": "correct-horse"})
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parents[1])
    blocks = re.findall(r"^```bash\n(.*?)^```$", _PAGE.read_text(), re.MULTILINE | re.DOTALL)
    login = next(block for block in blocks if "taskbeam login" in block)
    blocks[blocks.index(login)] = login.rstrip() + f" --url {system.rest_url} --socket {system.ws_url}\n"
    said = subprocess.run(
        ["bash", "-e"],
        check=False,
        input="echo =====\n".join(blocks),
        env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path / "config")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert said.returncode == 0, said.stderr
    _, logged_in, listed, changed, texts, opened, added, files, completion = said.stdout.split("=====\n")
    assert logged_in == f"Logged in at {system.rest_url} as ann.\n"
    assert [line.split("\t")[-1] for line in listed.splitlines()[2:]] == ["Buy milk", "Walk the dog"]
    assert re.fullmatch(
        r"Done \S+  Buy milk\nChanged \S+  Walk both dogs\n\S+\topen\t\S+\tWalk both dogs\nDeleted \S+\n",
        changed,
    )
    assert (texts, opened) == ("Buy milk\n", "0 open\n")
    first, second = map(json.loads, added.splitlines())
    assert first == second
    assert files == "Imported 0; 2 were there already.\n"
    assert completion == ""
    for name in ("tasks.jsonl", "tasks.csv", "todo.txt"):
        assert "Water the plants" in (tmp_path / name).read_text()
