"""``taskbeam key``: the key that signs tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from taskbeam.errors import CommandError
from taskbeam.operator import in_one_line, with_settings
from taskbeam.output import json_option, write_json

if TYPE_CHECKING:
    from shared.settings import Settings


@click.group
def key() -> None:
    """The key that signs tokens."""


@key.command
@click.option("--end-tokens", is_flag=True, help="The former keys are not kept: everybody logs in again.")
@with_settings
@json_option
def rotate(settings: Settings, end_tokens: bool, as_json: bool) -> None:
    """Have another key sign from now on.

    Tokens that were signed before stay good until they expire: the former key stays in the key's file, which keeps the latest
    three. Servers that run notice within a second, end, and are started again with the new key. Where the key is the setting
    TASKBEAM_SECRET_KEY, this says what to set.
    """
    from shared.auth.key_file import new_key, rotate_keys
    from shared.store.opening import file_beside

    if settings.secret_key:
        made = new_key()
        if as_json:
            write_json({"secret_key": made})
        else:
            former = "empty" if end_tokens else "the present key, then what it has"
            click.echo(
                f"The key is a setting. Set these, and restart the servers:\nTASKBEAM_SECRET_KEY={made}\n"
                f"TASKBEAM_SECRET_KEYS_OLD: {former}"
            )
        return
    path = file_beside(settings.database_url, ".key")
    with in_one_line():
        try:
            rotate_keys(path, keep_former=not end_tokens)
        except ValueError as error:
            raise CommandError(str(error)) from error
    if as_json:
        write_json({"file": str(path)})
    else:
        click.echo(f"{path} has a new key.")
