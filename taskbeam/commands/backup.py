"""``taskbeam backup``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from taskbeam.errors import CommandError
from taskbeam.operator import in_one_line, with_settings
from taskbeam.output import json_option, progress, write_json

if TYPE_CHECKING:
    from shared.settings import Settings


@click.command
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--with-key", is_flag=True, help="Put the key that signs tokens beside it, as FILE.key.")
@click.option("--force", is_flag=True, help="Replace FILE where it exists.")
@with_settings
@json_option
def backup(settings: Settings, file: Path, with_key: bool, force: bool, as_json: bool) -> None:
    """Copy the database into FILE, while it is served.

    The copy is the database as it is at one moment, checked, and readable for its owner alone. Restored without the key,
    it asks everybody to log in again; whoever reads the key can forge tokens.
    """
    from shared.store.opening import back_up_database
    from taskbeam.key_copies import copy_key_to, key_beside

    key = key_beside(file) if with_key else None
    with in_one_line(), progress("Backing up") as done:
        if key is not None and key.exists() and not force:
            raise CommandError(f"{key} exists already")
        back_up_database(settings.database_url, file, replace=force, progress=done)
        if key is not None:
            copy_key_to(key, settings)
    size = file.stat().st_size
    if as_json:
        write_json({"file": str(file), "key": None if key is None else str(key), "size": size})
    else:
        click.echo(f"{file}: {size} bytes, checked" + (f"; the key is {key}" if key else ""))
