"""A database of an operator's, which nobody serves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.support.command_line import succeed, taskbeam
from tests.support.databases import database_environ, require_sqlite

Command = Callable[..., Result]

PASSWORD = "correct horse battery staple"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    require_sqlite()
    return tmp_path / "var" / "taskbeam.db"


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """``taskbeam`` with a database, which is ``database`` on SQLite, and with a user, ada."""
    environ = {**database_environ(tmp_path / "var"), "TASKBEAM_BCRYPT_ROUNDS": "4"}

    def run(*arguments: str, stdin: str | bytes | None = None) -> Result:
        return taskbeam(*arguments, environ=environ, stdin=stdin)

    succeed(run("user", "add", "ada", stdin=f"{PASSWORD}\n"))
    return run
