"""Why a command failed, as its user reads it."""

from __future__ import annotations

from typing import IO, Any

import click


class CommandError(click.ClickException):
    """Ends the command with status 1, and its text as one line on standard error."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"taskbeam: {self.message}", file, err=True)


class BadSettings(CommandError):
    """Ends the command with status 2, and a line for each of ``problems``."""

    exit_code = 2

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems

    def show(self, file: IO[Any] | None = None) -> None:
        for problem in self.problems:
            click.echo(f"taskbeam: {problem}", file, err=True)
