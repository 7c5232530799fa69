"""``taskbeam serve``: both servers under supervisord, in the foreground."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option(
    "--workers",
    type=click.IntRange(1, 9999),
    metavar="N",
    help="WebSocket workers, which share one port.  [default: the variable WORKERS, or 1]",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="The data folder.  [default: var]",
)
@click.option(
    "--env-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A file of settings, instead of .env in the data folder.",
)
def serve(workers: int | None, data: Path | None, env_file: Path | None) -> None:
    """Start both servers, and supervise them.

    Everything that they write is in the data folder. Settings are the variables of the environment and of the settings
    file; where both have one, the environment's value counts. Ctrl-C or SIGTERM stops all.
    """
    from taskbeam import serving

    serving.serve(workers, data, env_file)
