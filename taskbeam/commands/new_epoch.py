"""``taskbeam new-epoch``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from taskbeam.operator import run, with_settings
from taskbeam.output import json_option, write_json

if TYPE_CHECKING:
    from shared.settings import Settings


@click.command("new-epoch")
@with_settings
@json_option
def new_epoch(settings: Settings, as_json: bool) -> None:
    """Tell clients that the database was restored, after pg_restore.

    What they knew may have been lost, and numbers of changes be given anew. With another epoch they notice, and read everything
    again; what they wrote without an answer is written. Servers that run end within seconds, and are started again with it.
    SQLite's `taskbeam restore` does all this itself.
    """
    from shared.store.opening import renew_epoch

    epoch = run(renew_epoch(settings.database_url))
    if as_json:
        write_json({"epoch": epoch})
    else:
        click.echo(f"The epoch is {epoch} now: clients read everything anew.")
