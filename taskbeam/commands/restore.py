"""``taskbeam restore``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from taskbeam.operator import in_one_line, with_settings
from taskbeam.output import json_option, progress, write_json

if TYPE_CHECKING:
    from shared.settings import Settings


@click.command
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@with_settings
@json_option
def restore(settings: Settings, file: Path, as_json: bool) -> None:
    """Put the backup FILE in the place of the database, which no server may have open.

    The database that was there is kept beside it. Clients notice by themselves that this is another database, and read
    everything anew. FILE.key, where there is one, becomes the key; tokens that it signed stay good.
    """
    from shared.store.opening import restore_database
    from taskbeam.key_copies import install_key, require_usable_key

    with in_one_line(), progress("Restoring") as done:
        if not settings.secret_key:
            require_usable_key(file)
        restored = restore_database(settings.database_url, file, progress=done)
        key = install_key(file, settings)
    if as_json:
        former = None if restored.former is None else str(restored.former)
        write_json({"epoch": restored.epoch, "former": former, "key": key.value})
        return
    click.echo(f"{file} is restored.")
    if restored.former is not None:
        click.echo(f"The database from before is {restored.former}: delete it when you do not need it.")
    click.echo(key.sentence)
