"""The command itself: its list of commands, its version, and how soon it speaks."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Final

import click
import pytest
from click.testing import CliRunner

from taskbeam.cli import COMMANDS, main

_PROGRAM: Final = Path(sys.executable).with_name("taskbeam")
_MAX_HELP_SECONDS: Final = 0.15
_ATTEMPTS: Final = 5


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
    said = CliRunner().invoke(main, ["no-such-command"], prog_name="taskbeam")
    assert said.exit_code == 2
    assert said.stderr == "taskbeam: No such command 'no-such-command'. See `taskbeam --help`.\n"


@pytest.mark.parametrize(
    "name", [name for name in COMMANDS if name not in ("serve", "demo", "supervisorctl", "export")]
)
def test_what_a_command_says_it_says_as_json_too(name: str) -> None:
    """``serve``, ``demo`` and ``supervisorctl`` have nothing to say, and what is exported has a form of its own."""
    command = main.get_command(click.Context(main), name)
    commands = [command]
    if isinstance(command, click.Group):
        commands = [below for name, below in command.commands.items() if name != "export"]
    for each in commands:
        assert each is not None
        assert "--json" in [option for parameter in each.params for option in parameter.opts], each.name


def test_letters_that_the_terminal_does_not_have_stop_no_command(tmp_path: Path) -> None:
    environ = {**os.environ, "PYTHONIOENCODING": "latin-1", "TASKBEAM_BCRYPT_ROUNDS": "4"}
    environ.pop("TASKBEAM_TEST_LOOP", None)

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "taskbeam", "user", *arguments, "--data", str(tmp_path)]
        done = subprocess.run(
            command, env=environ, input="correct horse\n", capture_output=True, check=True, encoding="latin-1"
        )
        return done.stdout

    assert run("add", "Zoë漢") == "User Zoë? is made.\n"
    assert "Zoë?" in run("list")


def test_help_is_there_at_once() -> None:
    """By the processor's time, which others that run on the machine do not lengthen much; less the interpreter's own start."""
    bare = min(_processor_seconds("-c", "pass") for _ in range(_ATTEMPTS))
    helped = min(_processor_seconds("-m", "taskbeam", "--help") for _ in range(_ATTEMPTS))
    assert helped - bare < _MAX_HELP_SECONDS


def _processor_seconds(*arguments: str) -> float:
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used.ru_utime + used.ru_stime
