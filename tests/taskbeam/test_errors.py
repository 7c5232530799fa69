"""How commands end: what is said, and with which status."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from taskbeam.cli import main
from taskbeam.errors import BadSettings, CommandError, ExitStatus, LoginOver, ServerAway


def _ended_by(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> Result:
    @click.command()
    def fails() -> None:
        raise error

    monkeypatch.setattr(main, "get_command", lambda context, name: fails)
    return CliRunner().invoke(main, ["fails"])


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (CommandError("There is no such task."), 1, "taskbeam: There is no such task.\n"),
        (BadSettings(["A: no", "B: no"]), 2, "taskbeam: A: no\ntaskbeam: B: no\n"),
        (ServerAway("Nobody answers."), 3, "taskbeam: Nobody answers.\n"),
        (LoginOver("Log in."), 4, "taskbeam: Log in.\n"),
        (click.UsageError("Say\n\twhat."), 2, "taskbeam: Say what. See `main fails --help`.\n"),
        (click.ClickException("No."), 1, "taskbeam: No.\n"),
        (click.Abort(), 1, "taskbeam: Aborted.\n"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "taskbeam: No space left on device\n"),
        (KeyboardInterrupt(), 1, "\ntaskbeam: Aborted.\n"),
    ],
)
def test_an_error_ends_the_command(
    error: BaseException, status: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = _ended_by(error, monkeypatch)
    assert (result.exit_code, result.stdout, result.stderr) == (status, "", said)


def test_a_defect_is_shown_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (RuntimeError("a defect"), OSError(errno.EBADF, "a defect")):
        assert _ended_by(error, monkeypatch).exception is error


def _run(*arguments: str, **streams: Any) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "taskbeam", *arguments]
    return subprocess.run(command, env={}, stderr=subprocess.PIPE, check=False, **streams)


def test_standard_output_that_is_full_is_one_line() -> None:
    with open("/dev/full", "w") as full:
        done = _run("--version", stdout=full)
    assert (done.returncode, done.stderr) == (ExitStatus.FAILED, b"taskbeam: No space left on device\n")


def test_standard_streams_that_are_closed_leave_no_traceback() -> None:
    done = _run("token", "inspect", preexec_fn=lambda: os.closerange(0, 2))
    assert (done.returncode, done.stderr) == (ExitStatus.FAILED, b"taskbeam: no token on standard input\n")


@pytest.mark.parametrize("group", [[], ["user"]])
def test_a_group_without_a_command_shows_its_help(group: list[str]) -> None:
    result = CliRunner().invoke(main, group)
    assert result.exit_code == ExitStatus.USAGE
    assert result.stderr.startswith("Usage: ")
    assert "Commands:" in result.stderr
