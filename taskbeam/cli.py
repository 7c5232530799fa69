"""The command ``taskbeam``: which commands there are. A command's module is imported when the command is used."""

from __future__ import annotations

from importlib import import_module
from typing import Final, NamedTuple

import click


class Entry(NamedTuple):
    """Where a command is, as ``module:name``, and its line in the list of commands: its help's first sentence."""

    target: str
    summary: str

    def load(self) -> click.Command:
        module, _, name = self.target.partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command


COMMANDS: Final[dict[str, Entry]] = {}
"""By name, in the order of ``taskbeam --help``."""


class LazyGroup(click.Group):
    """Finds its commands in `COMMANDS`, and lists them without an import."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        return None if entry is None else entry.load()

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if not COMMANDS:
            return
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])


@click.group(cls=LazyGroup)
@click.version_option(package_name="taskbeam", message="%(prog)s %(version)s")
def main() -> None:
    """Taskbeam, a self-hosted, real-time task backend."""
