"""Opening the database that a URL names: the one module that knows which engines there are, a line for each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from shared.errors import Unavailable
from shared.feed import ChangeFeed
from shared.feed.fan_out import open_fan_out
from shared.feed.tail import open_tail
from shared.store import Store
from shared.store.copies import CopyFailed, Progress, Restored
from shared.store.records import Finding
from shared.store.sqlite.backup import back_up
from shared.store.sqlite.check import check_sqlite
from shared.store.sqlite.database_path import DatabasePath, file_of
from shared.store.sqlite.opening import open_sqlite
from shared.store.sqlite.restore import restore


class Database(NamedTuple):
    """An open database.

    Args:
        store: what is stored.
        open_feed: the change feed from now on, for a process of that name; should it fail, the body is cancelled.
        beside: the path of a file of ours, by its suffix.
    """

    store: Store
    open_feed: Callable[[str], AbstractAsyncContextManager[ChangeFeed]]
    beside: Callable[[str], Path]


def open_database(url: str) -> AbstractAsyncContextManager[Database]:
    """Open the database, its schema up to date; closed again on exit.

    Should its own background work die, the body is cancelled and the error raised.

    Args:
        url: as the setting ``database_url`` has it.

    Raises:
        Unavailable: the database cannot be opened.
    """
    return _engine(url).open(url)


def database_exists(url: str) -> bool:
    """Whether there is one already: to open it makes it."""
    return _engine(url).exists(url)


def check_database(url: str) -> list[Finding]:
    """Look at the whole database from beside it, whether it is served or not; nothing is changed. Blocks.

    Raises:
        Unavailable: there is none, or it cannot be read.
    """
    return _engine(url).check(url)


def back_up_database(url: str, to: Path, *, replace: bool, progress: Progress) -> None:
    """Copy the database into a file, whether it is served or not; ``replace``: even where there is one. Blocks.

    Raises:
        CopyFailed: nothing was made.
    """
    _engine(url).back_up(url, to, replace, progress)


def restore_database(url: str, backup: Path, *, progress: Progress) -> Restored:
    """Put a backup in the place of the database, which must not be served now. Blocks.

    Raises:
        CopyFailed: nothing was changed.
    """
    return _engine(url).restore(url, backup, progress)


def file_beside(url: str, suffix: str) -> Path:
    """The path of a file of ours beside a database, by its suffix, without opening it; with an empty one, the database's."""
    return _engine(url).beside(url, suffix)


@asynccontextmanager
async def _open_sqlite(url: str) -> AsyncIterator[Database]:
    async with open_sqlite(file_of(url)) as store:
        beside = store.path.beside
        yield Database(store, lambda process: open_tail(store, beside("-wake"), process), beside)


@asynccontextmanager
async def _open_postgres(url: str) -> AsyncIterator[Database]:
    opening, notify = _postgres("opening"), _postgres("notify")
    async with opening.open_postgres(url) as store:
        _beside_postgres("").parent.mkdir(mode=0o700, exist_ok=True)
        yield Database(
            store, lambda _: open_fan_out(store, notify.NotifyCarrier(store.dsn)), _beside_postgres
        )


def _postgres(module: str) -> Any:
    """A module of that engine, whose driver is an extra. Raises Unavailable."""
    try:
        return import_module(f"shared.store.postgres.{module}")
    except ModuleNotFoundError as error:
        raise Unavailable(
            f"PostgreSQL needs the package {error.name}: pip install 'taskbeam[postgres]'"
        ) from error


def _beside_postgres(suffix: str) -> Path:
    """Files of ours on this host stand where those of the default database do."""
    return Path(f"var/taskbeam{suffix}")


def _refuse_backup(url: str, to: Path, replace: bool, progress: Progress) -> None:
    raise CopyFailed("PostgreSQL is backed up by its own pg_dump")


def _refuse_restore(url: str, backup: Path, progress: Progress) -> Restored:
    raise CopyFailed("PostgreSQL is restored by its own pg_restore")


class _Engine(NamedTuple):
    """What each engine has for the functions above."""

    open: Callable[[str], AbstractAsyncContextManager[Database]]
    exists: Callable[[str], bool]
    check: Callable[[str], list[Finding]]
    back_up: Callable[[str, Path, bool, Progress], None]
    restore: Callable[[str, Path, Progress], Restored]
    beside: Callable[[str, str], Path]


_ENGINES: Final[dict[str, _Engine]] = {
    "sqlite": _Engine(
        _open_sqlite,
        lambda url: file_of(url).exists(),
        lambda url: check_sqlite(file_of(url)),
        lambda url, to, replace, progress: back_up(file_of(url), to, replace=replace, progress=progress),
        lambda url, backup, progress: restore(file_of(url), backup, progress=progress),
        lambda url, suffix: DatabasePath(file_of(url)).beside(suffix),
    ),
    "postgresql": _Engine(
        _open_postgres,
        lambda _: True,  # an operator makes it
        lambda url: cast("list[Finding]", _postgres("check").check_postgres(url)),
        _refuse_backup,
        _refuse_restore,
        lambda _, suffix: _beside_postgres(suffix),
    ),
}


def _engine(url: str) -> _Engine:
    scheme, _, _ = url.partition(":")
    return _ENGINES[scheme]
