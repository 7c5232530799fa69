"""``taskbeam migrate``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from taskbeam.operator import open_store, run, with_settings
from taskbeam.output import json_option, write_json

if TYPE_CHECKING:
    from shared.settings import Settings


@click.command
@with_settings
@json_option
def migrate(settings: Settings, as_json: bool) -> None:
    """Make the database, or bring its schema up to date.

    The servers do this themselves when they start.
    """

    async def work() -> str:
        async with open_store(settings, make=True) as store:
            return store.epoch

    epoch = run(work())
    if as_json:
        write_json({"epoch": epoch})
    else:
        click.echo("The schema is up to date.")
