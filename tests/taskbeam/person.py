"""Somebody who types commands, with a configuration folder of their own."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

from click.testing import CliRunner, Result

from taskbeam.cli import main
from tests.support.clients import PASSWORD, Account
from tests.support.processes import System


class Person(NamedTuple):
    """Commands run in this process; ``environ`` is for those that run in another."""

    folder: Path
    system: System
    account: Account

    @property
    def environ(self) -> dict[str, str]:
        return {
            **os.environ,
            "XDG_CONFIG_HOME": str(self.folder),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }

    def run(self, *arguments: str, input: str | bytes | None = None) -> Result:
        """Whatever happens, no command ends with a traceback."""
        environ = {"XDG_CONFIG_HOME": str(self.folder), "TASKBEAM_URL": None}
        result = CliRunner().invoke(main, arguments, input=input, env=environ)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    def do(self, *arguments: str, input: str | bytes | None = None) -> str:
        """A command that succeeds; returns its standard output."""
        result = self.run(*arguments, input=input)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *arguments: str) -> list[Any]:
        return [json.loads(line) for line in self.do(*arguments, "--json").splitlines()]

    def fails(self, *arguments: str, status: int = 1, input: str | bytes | None = None) -> str:
        """A command that fails; returns what it says, without ``taskbeam: ``."""
        result = self.run(*arguments, input=input)
        assert result.exit_code == status, result.output
        assert result.stdout == ""
        return result.stderr.rpartition("taskbeam: ")[2].removesuffix("\n")

    def log_in(self) -> None:
        self.do(
            *("login", self.account.username, "--password-stdin"),
            *("--url", self.system.rest_url, "--socket", self.system.ws_url),
            input=PASSWORD + "\n",
        )
