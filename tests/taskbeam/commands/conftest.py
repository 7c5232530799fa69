"""A database of an operator's, which nobody serves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.support.command_line import succeed, taskbeam

Command = Callable[..., Result]

PASSWORD = "correct horse battery staple"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "var" / "taskbeam.db"


@pytest.fixture
def command(database: Path) -> Command:
    """``taskbeam`` with that database, and with a user, ada."""
    environ = {"TASKBEAM_DATABASE_URL": f"sqlite:///{database}", "TASKBEAM_BCRYPT_ROUNDS": "4"}

    def run(*arguments: str, stdin: str | bytes | None = None) -> Result:
        return taskbeam(*arguments, environ=environ, stdin=stdin)

    succeed(run("user", "add", "ada", stdin=f"{PASSWORD}\n"))
    return run
