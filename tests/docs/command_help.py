"""Each command's help, as ``taskbeam … --help`` prints it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import click

from taskbeam.cli import main

_WIDTH: Final = 80


def lines() -> list[str]:
    """Markdown: a heading and a block for each command, below the one that it belongs to."""
    return list(_lines(main, click.Context(main, info_name="taskbeam", terminal_width=_WIDTH)))


def _lines(command: click.Command, context: click.Context) -> Iterator[str]:
    yield from (
        f"## `{context.command_path}`",
        "",
        "```text",
        *command.get_help(context).splitlines(),
        "```",
        "",
    )
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from _lines(below, click.Context(below, context, info_name=name, terminal_width=_WIDTH))
