"""The command itself: its list of commands, its version, and how soon it speaks."""

from __future__ import annotations

import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Final

import click
import pytest
from click.testing import CliRunner

from taskbeam.cli import COMMANDS, main

_PROGRAM: Final = Path(sys.executable).with_name("taskbeam")
_MAX_HELP_SECONDS: Final = 0.15
_ATTEMPTS: Final = 10


@pytest.mark.parametrize("command", [[str(_PROGRAM)], [sys.executable, "-m", "taskbeam"]])
def test_it_says_its_version(command: list[str]) -> None:
    said = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    assert said.stdout == f"taskbeam {version('taskbeam')}\n"


def test_help_lists_each_command_with_the_first_sentence_of_its_help() -> None:
    said = CliRunner().invoke(main, ["--help"], terminal_width=1000)
    lines = said.output.partition("Commands:\n")[2].splitlines()
    assert [line.split() for line in lines] == [
        [name, *entry.summary.split()] for name, entry in COMMANDS.items()
    ]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_what_the_command_says_of_itself(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert command.get_short_help_str(1000) == COMMANDS[name].summary
    assert command.name == name


def test_an_unknown_command_is_an_error_of_usage() -> None:
    said = CliRunner().invoke(main, ["no-such-command"])
    assert said.exit_code == 2
    assert "No such command 'no-such-command'" in said.output


def test_help_is_there_at_once() -> None:
    """The interpreter's own start is the machine's affair; the fastest of some attempts is what is measured, in turns."""
    bare, helped = [], []
    for _ in range(_ATTEMPTS):
        bare.append(_seconds("-c", "pass"))
        helped.append(_seconds("-m", "taskbeam", "--help"))
        if min(helped) - min(bare) < _MAX_HELP_SECONDS:
            return
    pytest.fail(f"{min(helped):.3f} s, of which the interpreter takes {min(bare):.3f} s")


def _seconds(*arguments: str) -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begin
