"""``taskbeam serve``: both servers under supervisord, in the foreground."""

from __future__ import annotations

import os
from pathlib import Path

import click

from taskbeam.instance_options import data_option, env_file_option


@click.command()
@click.option(
    "--workers",
    type=click.IntRange(1, 9999),
    metavar="N",
    help="WebSocket workers, which share one port.  [default: the variable WORKERS, or 1]",
)
@data_option
@env_file_option
def serve(workers: int | None, data: Path | None, env_file: Path | None) -> None:
    """Start both servers, and supervise them.

    Everything that they write is in the data folder. Settings are the variables of the environment and of the settings
    file; where both have one, the environment's value counts. Ctrl-C or SIGTERM stops all.
    """
    from taskbeam import serving

    serving.serve(workers, data, env_file, os.environ)
