"""docs/howto/move_to_postgresql.md: its commands as its reader pastes them, with a server that runs and a token from before."""

from __future__ import annotations

import json
import stat
import tempfile
from pathlib import Path
from typing import Any, Final

from tests.docs.shell import bash, blocks_of, served
from tests.support.ports import free_port
from tests.support.postgresql import durable_postgresql

_SHOWN: Final = "postgresql://taskbeam@localhost:5432/taskbeam"
_CREDENTIALS: Final = "-d username=ann -d password=correct-horse"


def test_a_database_is_moved_and_back() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="taskbeam-") as name,  # the path of a Unix socket is short
        durable_postgresql() as server,
    ):
        _move(Path(name), server.url)


def _move(folder: Path, url: str) -> None:
    shown = blocks_of("move_to_postgresql.md")
    assert all(_SHOWN in "".join(block) for block in (shown[1], shown[2], shown[4]))
    stop, copy, settings, serve, back = (block.replace(_SHOWN, url) for block in shown)
    rest = f"http://localhost:{free_port()}"
    ports = {"TASKBEAM_WS_PORT": str(free_port()), "TASKBEAM_REST_PORT": rest.rpartition(":")[2]}
    with served(serve, folder, **ports) as taskbeam:
        bash(f"curl -s {rest}/register/ {_CREDENTIALS}", folder)
        access = json.loads(bash(f"curl -s {rest}/login/ {_CREDENTIALS}", folder))["access"]

        def ask(arguments: str = "") -> Any:
            return json.loads(
                bash(f"curl -s {rest}/ -H 'Authorization: Bearer {access}' {arguments}", folder)
            )

        task = ask("-d task=Milk")
        bash(stop, folder, **ports)
        assert taskbeam.wait(30) == 0
    said = bash(copy, folder)
    assert (
        f"The key is in {folder.resolve()}/var/taskbeam.db.key: set TASKBEAM_SECRET_KEY to its first line"
        in said
    )
    assert "1 users, 1 tasks, 1 changes, 1 sessions" in said
    assert "PROBLEM" not in bash(settings, folder)
    assert stat.S_IMODE((folder / "var" / ".env").stat().st_mode) == 0o600
    with served(serve, folder, **ports) as taskbeam:
        assert ask() == [task]
        other = ask("-d task=Bread")
        bash(stop.splitlines()[-1], folder, **ports)
        assert taskbeam.wait(30) == 0
    assert "PROBLEM" not in bash(back, folder)
    with served(serve, folder, **ports, TASKBEAM_DATABASE_URL="sqlite:///var/back.db"):
        assert ask() == [task, other]
