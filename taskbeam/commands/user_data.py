"""``taskbeam user export`` and ``taskbeam user import``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from taskbeam.errors import CommandError
from taskbeam.input import binary_input, named
from taskbeam.operator import in_one_line, open_store, run, with_settings
from taskbeam.output import json_option, write_json

if TYPE_CHECKING:
    from shared.settings import Settings
    from taskbeam.user_data import Imported


@click.command
@click.argument("usernames", nargs=-1, metavar="[USERNAME]...")
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write this new file, for you alone."
)
@with_settings
def export(settings: Settings, usernames: tuple[str, ...], output: Path | None) -> None:
    """Write users and their tasks as JSON Lines.

    All users, or those that are named. The hashes of their passwords are among it.
    """
    from taskbeam.user_data import BadLine, export_users

    async def work(file: BinaryIO) -> None:
        async with open_store(settings) as store:
            try:
                async for line in export_users(store, usernames):
                    file.write(line)
            except BadLine as error:
                raise CommandError(str(error)) from error
        file.flush()

    if output is None:
        run(work(sys.stdout.buffer))
        return
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CommandError(f"{output}: {error.strerror}") from error
    try:
        with open(descriptor, "wb") as file:
            run(work(file))
            os.fsync(descriptor)
    except BaseException:
        output.unlink()
        raise


@click.command("import")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@with_settings
@json_option
def import_(settings: Settings, file: str, as_json: bool) -> None:
    """Add the users and tasks of an export.

    They are read from FILE or, with -, from standard input. A user or task that is here already stays as it is, so that an
    import may be repeated.
    """
    from taskbeam.user_data import BadLine, import_users

    async def work(lines: BinaryIO) -> Imported:
        async with open_store(settings, make=True) as store:
            try:
                return await import_users(store, lines)
            except BadLine as error:
                raise CommandError(f"{named(file)}: {error}") from error

    with in_one_line(), binary_input(file) as lines:
        imported = run(work(lines))
    if as_json:
        write_json(imported._asdict())
    else:
        click.echo(
            f"{imported.users} users and {imported.tasks} tasks are added; {imported.present} were here already."
        )
