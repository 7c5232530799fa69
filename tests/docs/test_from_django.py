"""docs/howto/from_django.md: its commands as its reader pastes them, with the database of a real Django."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from tests.docs.shell import bash, blocks_of, served
from tests.support.django_environment import make_application_database
from tests.support.ports import free_port


def test_an_application_is_moved() -> None:
    with tempfile.TemporaryDirectory(prefix="taskbeam-") as name:  # the path of a Unix socket is short
        _move_an_application(Path(name))


def _move_an_application(folder: Path) -> None:
    dry_run, take_in, serve, ask = blocks_of("from_django.md")
    told = make_application_database(folder / "db.sqlite3")
    assert bash(dry_run, folder).startswith("9 users would be added;")
    assert not (folder / "var").exists()
    assert bash(take_in, folder).startswith("9 users added;")
    assert "<the SECRET_KEY of settings.py>" in serve
    ws_port, rest_port = str(free_port()), str(free_port())
    with served(
        serve.replace("<the SECRET_KEY of settings.py>", told["key"]),
        folder,
        TASKBEAM_WS_PORT=ws_port,
        TASKBEAM_REST_PORT=rest_port,
    ):
        asked = ask.replace("localhost:8001", f"localhost:{rest_port}")
        tasks = json.loads(bash(asked, folder, TOKEN=told["access"]))
    assert [task["task"] for task in tasks] == ["First", "Second"]
