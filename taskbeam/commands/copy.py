"""``taskbeam copy``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from taskbeam.instance_options import data_option, env_file_option
from taskbeam.operator import run
from taskbeam.output import json_option, progress, write_json

if TYPE_CHECKING:
    from shared.store.copying import Copy, Digest, Start
    from shared.store.rows import Header

_STARTED: Final = {
    "new": "The copy begins: {total} rows.",
    "resumed": "The copy goes on: {done} of {total} rows are there.",
    "anew": "What was copied before is not what {source} has now: the copy begins anew, {total} rows.",
}
_WORDS: Final = {
    "users": "users",
    "tasks": "tasks",
    "changes": "changes",
    "sessions": "sessions",
    "rotated_tokens": "exchanged tokens",
    "revocations": "revocations",
    "login_addresses": "addresses",
}
"""How the tables are called here."""


class _DatabaseUrl(click.ParamType[str]):
    name = "url"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from shared.setting_values import parse_database_url

        try:
            return parse_database_url(value)
        except ValueError as expected:
            self.fail(f"expected {expected}", param, ctx)


@click.command
@click.argument("source", type=_DatabaseUrl())
@click.argument("target", type=_DatabaseUrl())
@data_option
@env_file_option
@json_option
def copy(source: str, target: str, data: Path | None, env_file: Path | None, as_json: bool) -> None:
    """Copy the database SOURCE into the new database TARGET, from SQLite to PostgreSQL or back.

    Both are URLs, as the setting DATABASE_URL has them; stop the servers of both before. Users, passwords, sessions, tasks and the
    change log come as they are, so tokens stay good, and clients go on where they were. At the end both are read and compared.

    A copy that was interrupted goes on when it is run again; if SOURCE has changed since, it begins anew. Until it has ended,
    TARGET cannot be served. The data folder and the settings tell where the key is.
    """
    from taskbeam.instance import database_in_folder, find_instance
    from taskbeam.key_copies import find_key

    instance = find_instance(os.environ, data, env_file)
    source, target = (database_in_folder(url, instance.data) for url in (source, target))
    start, header, digests = run(_copy(source, target, as_json))
    key = find_key(instance.settings, source, target, header.signing_key)
    if as_json:
        write_json(
            {
                "start": start.value,
                "epoch": header.epoch,
                "tables": {name: digest._asdict() for name, digest in digests.items()},
                "key": key.place,
            }
        )
        return
    counted = ", ".join(f"{digest.rows} {_WORDS[name]}" for name, digest in digests.items())
    click.echo(f"{counted}: copied, read again on both sides, and equal.")
    click.echo(key.sentence)


async def _copy(source: str, target: str, as_json: bool) -> tuple[Start, Header, dict[str, Digest]]:
    from shared.store.opening import open_copy

    async with open_copy(source, target) as copy:
        with progress("Looking"):
            start = await copy.begin()
        if not as_json:
            click.echo(_started(copy, start))
        with progress("Copying") as done:
            await copy.copy(done)
        with progress("Comparing") as done:
            digests = await copy.verify(done)
        await copy.finish()
        return start, copy.header, digests


def _started(copy: Copy, start: Start) -> str:
    return _STARTED[start.value].format(done=copy.mark.rows, total=copy.total, source=copy.source.name)
