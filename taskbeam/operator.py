"""What operators' commands share: the settings, the database, and an end in one line."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from taskbeam.errors import CommandError, report
from taskbeam.instance_options import data_option, env_file_option, not_empty

if TYPE_CHECKING:
    from shared.backend import Backend
    from shared.settings import Settings
    from shared.store import Store

T = TypeVar("T")

PROCESS: Final = "taskbeam"
_DATABASE_URL: Final = "TASKBEAM_DATABASE_URL"


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Options that say which instance a command is about; the command gets its settings, before its own parameters."""

    @functools.wraps(command)
    def load_and_run(
        *, data: Path | None, env_file: Path | None, database: str | None, **others: object
    ) -> None:
        command(_load(data, env_file, database), **others)

    for option in (
        click.option(
            "--database",
            metavar="URL",
            callback=not_empty,
            help=f"Its database.  [default: {_DATABASE_URL}]",
        ),
        env_file_option,
        data_option,
    ):
        load_and_run = option(load_and_run)
    return load_and_run


def _load(data: Path | None, env_file: Path | None, database: str | None) -> Settings:
    """The settings of the instance. Raises BadSettings."""
    from taskbeam.instance import find_instance

    named = {} if database is None else {_DATABASE_URL: database}
    return find_instance({**os.environ, **named}, data, env_file).settings


async def require_database(settings: Settings) -> None:
    """To open a database makes it: a name that was misspelt must not. Raises CommandError."""
    from shared.store.opening import database_exists, database_name

    if not await database_exists(settings.database_url):
        name = database_name(settings.database_url)
        raise CommandError(
            f"there is no database {name}; `taskbeam migrate` makes one, --database names another"
        )


@asynccontextmanager
async def open_store(settings: Settings, *, make: bool = False) -> AsyncIterator[Store]:
    """The store, whose commits wake the processes that serve it. ``make``: even where there is no database yet."""
    from shared.store.opening import open_database

    if not make:
        await require_database(settings)
    async with (
        open_database(settings.database_url, settings.events_url) as database,
        database.open_feed(PROCESS),
    ):
        yield database.store


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Backend]:
    """The store with the services, and so with the key."""
    from shared.backend import open_backend

    await require_database(settings)
    async with open_backend(settings, PROCESS) as backend:
        yield backend


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end; what fails ends the command with one line."""
    with in_one_line():
        return asyncio.run(work)


@contextmanager
def in_one_line() -> Iterator[None]:
    """Whatever the operator can mend, or must know, ends the command with one line; a defect is shown whole."""
    from shared.errors import FatalError, TaskbeamError
    from shared.store.copies import CopyFailed

    logger = logging.getLogger("shared")
    level = logger.level
    logger.setLevel(logging.ERROR)  # what else is to be known, `taskbeam check` tells
    umask = os.umask(0o077)
    try:
        yield
    except (TaskbeamError, CopyFailed, OSError, BaseExceptionGroup) as error:
        first = _first(error)
        if isinstance(first, FatalError):  # the orderly end of the interpreter would touch the files
            os._exit(report(CommandError(first.reason)))
        if isinstance(first, BrokenPipeError):
            raise first from None  # whoever read the output has had enough
        if isinstance(first, (TaskbeamError, CopyFailed, OSError)):
            raise CommandError(_sentence(first)) from error
        if isinstance(first, (CommandError, KeyboardInterrupt)):
            raise first from None
        raise
    finally:
        os.umask(umask)
        logger.setLevel(level)


def _first(error: BaseException) -> BaseException:
    """Task groups put errors in groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _sentence(error: BaseException) -> str:
    from shared.errors import Unavailable, ValidationFailed

    if isinstance(error, Unavailable):
        return error.reason
    if isinstance(error, ValidationFailed):
        return error.sentence
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)
    return str(error)
