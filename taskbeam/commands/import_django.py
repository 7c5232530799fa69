"""``taskbeam import-django``."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from taskbeam.errors import CommandError
from taskbeam.operator import in_one_line, open_store, run, with_settings
from taskbeam.output import json_option, progress, write_json

if TYPE_CHECKING:
    from shared.settings import Settings
    from shared.store.django.rows import Source
    from taskbeam.django_import.report import Report


@click.command("import-django")
@click.argument("source", metavar="SOURCE")
@click.option("--users-table", metavar="NAME", help="The table of the users, where its columns do not tell.")
@click.option("--tasks-table", metavar="NAME", help="The table of the tasks, where its columns do not tell.")
@click.option("--dry-run", is_flag=True, help="Import into a copy of the database, and throw that away.")
@with_settings
@json_option
def import_django(
    settings: Settings,
    source: str,
    users_table: str | None,
    tasks_table: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Take in the users and tasks of a Django application.

    SOURCE is its SQLite file or a postgresql:// URL, and is only read. Users keep their ids, names and passwords, tasks
    their uuids and times. What is here already stays as it is, so the command may be interrupted, and repeated.
    """
    import msgspec

    from shared.clock import read_clocks
    from shared.store.django.opening import open_source
    from taskbeam.django_import.importing import Import
    from taskbeam.django_import.report import lines

    def opened() -> AbstractContextManager[Source]:
        return open_source(source, users_table=users_table, tasks_table=tasks_table)

    async def work(target: Settings) -> Report:
        async with open_store(target, make=True) as store:
            with _source_in_one_line(), opened() as rows, progress("Importing") as told:
                return await Import(
                    rows, store, target.max_tasks_per_user, read_clocks(), told, dry_run=dry_run
                ).run()

    with _source_in_one_line(), opened():
        pass  # before a database is made
    with _target(settings, dry_run) as target:
        report = run(work(target))
    if as_json:
        write_json(msgspec.to_builtins(report))
    else:
        for line in lines(report):
            click.echo(line)


@contextmanager
def _target(settings: Settings, dry_run: bool) -> Iterator[Settings]:
    """The settings of the database to import into: of a copy that is gone afterwards, for a dry run."""
    if not dry_run:
        yield settings
        return
    from shared.store.opening import back_up_database, database_exists, is_on_many_machines

    if is_on_many_machines(settings.database_url):
        raise CommandError(
            "--dry-run needs a database of SQLite, to work on a copy: try it with --database sqlite:///try.db"
        )

    with tempfile.TemporaryDirectory(prefix="taskbeam-dry-run-") as folder:
        copy = Path(folder, "copy.db")
        if run(database_exists(settings.database_url)):
            with in_one_line():
                back_up_database(
                    settings.database_url, copy, replace=False, progress=lambda done, total: None
                )
        yield replace(settings, database_url=f"sqlite:///{quote(str(copy))}")


@contextmanager
def _source_in_one_line() -> Iterator[None]:
    from shared.store.django.rows import SourceError

    try:
        yield
    except SourceError as error:
        raise CommandError(str(error)) from error
