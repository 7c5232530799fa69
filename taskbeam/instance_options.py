"""The options that say which instance a command is about. An empty one is refused: it is a shell's variable that is not set."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import click


class _NamedPath(click.Path):
    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        if not os.fspath(value):
            self.fail("It is empty.", param, ctx)
        return super().convert(value, param, ctx)


def not_empty(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """The callback of an option with a text."""
    if value == "":
        raise click.BadParameter("It is empty.", context, parameter)
    return value


FOLDER: Final = _NamedPath(file_okay=False, path_type=Path)

data_option: Final = click.option(
    "--data", type=FOLDER, metavar="DIR", help="The data folder.  [default: var]"
)
env_file_option: Final = click.option(
    "--env-file",
    type=_NamedPath(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A file of settings, instead of .env in the data folder.",
)
