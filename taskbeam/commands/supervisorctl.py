"""``taskbeam supervisorctl``: supervisor's own client, at the supervisord of a data folder."""

from __future__ import annotations

from pathlib import Path

import click

from taskbeam.instance_options import FOLDER


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option(
    "--data",
    type=FOLDER,
    default="var",
    show_default=True,
    metavar="DIR",
    help="The data folder.",
)
@click.argument("arguments", nargs=-1, metavar="[status|restart NAME|shutdown|...]")
def supervisorctl(data: Path, arguments: tuple[str, ...]) -> None:
    """Ask or tell the supervisor of a data folder.

    Without arguments it reads commands from its input; `help` lists them.
    """
    from supervisor.supervisorctl import main

    from taskbeam.errors import CommandError
    from taskbeam.supervisor_conf import CONFIGURATION

    configuration = data / CONFIGURATION
    if not configuration.exists():
        raise CommandError(f"{data} has no {CONFIGURATION}: nothing was served from it")
    main(["-c", str(configuration), *arguments])
