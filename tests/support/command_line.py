"""The command ``taskbeam``, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from click.testing import CliRunner, Result

from taskbeam.cli import main

_NO_SETTINGS: Final[dict[str, None]] = {"TASKBEAM_TEST_LOOP": None, "TASKBEAM_TEST_ENGINE": None}
"""What the tests' own environment has, under names that could be settings."""


def taskbeam(*arguments: str, environ: Mapping[str, str], stdin: str | bytes | None = None) -> Result:
    """Run a command to its end. A defect is raised here. Not where an event loop runs: there, `taskbeam_beside`."""
    settings = {name: value for name, value in environ.items() if name not in _NO_SETTINGS}
    return CliRunner().invoke(
        main, arguments, input=stdin, env={**settings, **_NO_SETTINGS}, catch_exceptions=False
    )


async def taskbeam_beside(
    *arguments: str, environ: Mapping[str, str], stdin: str | bytes | None = None
) -> Result:
    return await asyncio.to_thread(taskbeam, *arguments, environ=environ, stdin=stdin)


def succeed(result: Result) -> str:
    """What it wrote to standard output."""
    assert result.exit_code == 0, result.output
    return result.stdout


def fail(result: Result, status: int = 1) -> str:
    """What it said on standard error: one line."""
    assert result.exit_code == status, result.output
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr.rstrip("\n")
