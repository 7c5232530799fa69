"""How a command ends: the exit statuses, and the errors that choose one and say why.

    CommandError       FAILED
    ├── BadSettings    USAGE
    ├── ServerAway     SERVER_AWAY
    └── LoginOver      LOGIN_OVER

Click's own errors of options and arguments end with USAGE; output that finds no room, with FAILED.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from enum import IntEnum
from typing import ClassVar, Final, Self

import click

NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""The errors of a disk that is full; a command may meet them wherever its standard output is written."""


class ExitStatus(IntEnum):
    """Every exit status of the command. ``meaning`` is what the documentation says of it."""

    meaning: str

    def __new__(cls, value: int, meaning: str) -> Self:
        status = int.__new__(cls, value)
        status._value_ = value
        status.meaning = meaning
        return status

    DONE = 0, "done; also `watch` and `serve`, when they are told to stop"
    FAILED = (
        1,
        "failed; also `check` that finds a problem, and `token inspect` of a token that is not accepted",
    )
    USAGE = 2, "a wrong option, argument or setting; nothing was done"
    SERVER_AWAY = (
        3,
        "no server answers, or something else does in its place; the same command may succeed later",
    )
    LOGIN_OVER = 4, "nobody is logged in, or no longer: `taskbeam login` comes first"


class CommandError(Exception):
    """Ends the command with ``status``; standard error has the message as one line."""

    status: ClassVar[ExitStatus] = ExitStatus.FAILED

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    @property
    def lines(self) -> Sequence[str]:
        """What standard error has."""
        return (self.message,)


class BadSettings(CommandError):
    """A line for each of ``problems``."""

    status = ExitStatus.USAGE

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems

    @property
    def lines(self) -> Sequence[str]:
        return self.problems


class ServerAway(CommandError):
    """No server answers now, or something else answers in its place."""

    status = ExitStatus.SERVER_AWAY


class LoginOver(CommandError):
    """Only a password begins another login."""

    status = ExitStatus.LOGIN_OVER


def report(error: CommandError | click.ClickException | click.Abort | OSError) -> ExitStatus:
    """Say on standard error why the command ends, and return its exit status."""
    match error:
        case CommandError():
            lines, status = error.lines, error.status
        case click.exceptions.NoArgsIsHelpError():
            error.show()  # the help, which has many lines
            return ExitStatus.USAGE
        case click.UsageError():
            lines, status = [_usage(error)], ExitStatus.USAGE
        case click.ClickException():
            lines, status = [error.format_message()], ExitStatus.FAILED
        case OSError():
            lines, status = [error.strerror or str(error)], ExitStatus.FAILED
        case click.Abort():
            lines, status = ["Aborted."], ExitStatus.FAILED
    for line in lines:
        click.echo(f"taskbeam: {line}", err=True)
    return status


def _usage(error: click.UsageError) -> str:
    """Click's message in one line."""
    said = " ".join(error.format_message().split())
    if error.ctx is None:
        return said
    return f"{said.removesuffix('.')}. See `{error.ctx.command_path} --help`."
