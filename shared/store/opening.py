"""Opening the database that a URL names: the one module that knows which engines there are, a line for each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from shlex import quote
from typing import Any, Final, NamedTuple, cast

from shared.errors import Unavailable
from shared.feed import ChangeFeed
from shared.feed.fan_out import open_fan_out
from shared.feed.tail import open_tail
from shared.postgres_url import SCHEME as POSTGRES_SCHEME
from shared.postgres_url import parse_postgres_url
from shared.store import Store
from shared.store.copies import CopyFailed, Progress, Restored
from shared.store.copying import Copy
from shared.store.records import Finding
from shared.store.rows import RowSource, RowTarget
from shared.store.shared_counts import SharedCounts
from shared.store.sqlite.backup import back_up
from shared.store.sqlite.check import check_sqlite
from shared.store.sqlite.database_path import DatabasePath, file_of
from shared.store.sqlite.opening import open_sqlite
from shared.store.sqlite.restore import restore
from shared.store.sqlite.row_target import open_sqlite_row_target
from shared.store.sqlite.rows import open_sqlite_rows


class Database(NamedTuple):
    """An open database.

    Args:
        store: what is stored.
        open_feed: the change feed from now on, for a process of that name; should it fail, the body is cancelled.
        beside: the path of a file of ours, by its suffix.
        counts: what the processes of all machines count together; ``None``: it is served by one machine alone. Other
            machines do not see the files beside.
    """

    store: Store
    open_feed: Callable[[str], AbstractAsyncContextManager[ChangeFeed]]
    beside: Callable[[str], Path]
    counts: SharedCounts | None


def open_database(url: str, events_url: str = "") -> AbstractAsyncContextManager[Database]:
    """Open the database, its schema up to date; closed again on exit.

    Should its own background work die, the body is cancelled and the error raised.

    Args:
        url: as the setting ``database_url`` has it.
        events_url: as the setting of that name has it.

    Raises:
        Unavailable: the database cannot be opened.
    """
    return _engine(url).open(url, events_url)


async def require_server(url: str) -> None:
    """Look whether the database's server is there, if it has one.

    Raises:
        Unavailable: it does not answer. One that refuses us is there.
    """
    await _engine(url).require_server(url)


async def database_exists(url: str) -> bool:
    """Whether there is one already: to open it makes it. Raises Unavailable: its server does not say."""
    return await _engine(url).exists(url)


def database_name(url: str) -> str:
    """The database for people, without a password: the path of a file, or what of the URL says where it is."""
    return _engine(url).name(url)


async def renew_epoch(url: str) -> str:
    """Give a database that was restored another epoch, so that clients read everything anew; returns it.

    Processes that serve it end, to be started with it.

    Raises:
        CopyFailed: nothing was changed: the engine's own restore does so.
        Unavailable: there is no database, or it cannot be written.
    """
    return await _engine(url).renew_epoch(url)


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


@asynccontextmanager
async def open_copy(source: str, target: str) -> AsyncIterator[Copy]:
    """A copy of one database into another, which nobody serves; both are open for it, and for nobody else, until the end.

    Raises:
        CopyFailed: they cannot be copied.
        Unavailable: the library of an engine is not installed.
    """
    if _engine(source).name(source) == _engine(target).name(target):
        raise CopyFailed("a database is not copied into itself")
    async with _engine(source).open_rows(source) as rows, _engine(target).open_row_target(target) as copy:
        yield Copy(rows, copy)


def is_on_many_machines(url: str) -> bool:
    """Whether processes on other machines may serve the database, which do not see the files beside."""
    return _engine(url).on_many_machines


def file_beside(url: str, suffix: str) -> Path:
    """The path of a file of ours beside a database, by its suffix, without opening it; with an empty one, the database's."""
    return _engine(url).beside(url, suffix)


@asynccontextmanager
async def _open_sqlite(url: str, _events_url: str) -> AsyncIterator[Database]:
    async with open_sqlite(file_of(url)) as store:
        beside = store.path.beside
        yield Database(store, lambda process: open_tail(store, beside("-wake"), process), beside, None)


@asynccontextmanager
async def _open_postgres(url: str, events_url: str) -> AsyncIterator[Database]:
    beside = partial(_beside_postgres, url)
    try:
        beside("").parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"{error.filename}: {error.strerror}") from error
    async with _postgres("opening").open_postgres(url) as store:
        if events_url:
            carrier = _extra("shared.feed.redis_carrier", "redis").RedisCarrier(events_url, store.epoch)
        else:
            carrier = _postgres("notify").NotifyCarrier(store.dsn)
        yield Database(store, lambda _: open_fan_out(store, carrier), beside, store.counts)


def _postgres(module: str) -> Any:
    return _extra(f"shared.store.postgres.{module}", "postgres")


def _extra(module: str, extra: str) -> Any:
    """A module whose library is an extra. Raises Unavailable."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise Unavailable(
            f"the package {error.name} is not installed: pip install 'taskbeam[{extra}]'"
        ) from error


def _beside_postgres(url: str, suffix: str) -> Path:
    return parse_postgres_url(url).data.absolute() / f"taskbeam{suffix}"


def _refuse_backup(url: str, to: Path, replace: bool, progress: Progress) -> None:
    database = quote(parse_postgres_url(url).open)
    raise CopyFailed(
        f"PostgreSQL has its own backups: pg_dump --format=custom --file={quote(str(to))} {database}"
    )


def _refuse_restore(url: str, backup: Path, progress: Progress) -> Restored:
    database = quote(parse_postgres_url(url).open)
    raise CopyFailed(
        "PostgreSQL has its own restore: stop the servers of all machines, restore into an empty database by pg_restore "
        f"--single-transaction --no-owner --dbname={database} {quote(str(backup))}, then run taskbeam new-epoch"
    )


async def _need_no_server(_url: str) -> None:
    pass


async def _file_exists(url: str) -> bool:
    return file_of(url).exists()


async def _refuse_epoch(url: str) -> str:
    raise CopyFailed("a database of SQLite gets its new epoch from taskbeam restore")


class _Engine(NamedTuple):
    """What each engine has for the functions above."""

    open: Callable[[str, str], AbstractAsyncContextManager[Database]]
    require_server: Callable[[str], Awaitable[None]]
    exists: Callable[[str], Awaitable[bool]]
    check: Callable[[str], list[Finding]]
    back_up: Callable[[str, Path, bool, Progress], None]
    restore: Callable[[str, Path, Progress], Restored]
    renew_epoch: Callable[[str], Awaitable[str]]
    beside: Callable[[str, str], Path]
    on_many_machines: bool
    name: Callable[[str], str]
    open_rows: Callable[[str], AbstractAsyncContextManager[RowSource]]
    open_row_target: Callable[[str], AbstractAsyncContextManager[RowTarget]]


_ENGINES: Final[dict[str, _Engine]] = {
    "sqlite": _Engine(
        _open_sqlite,
        _need_no_server,
        _file_exists,
        lambda url: check_sqlite(file_of(url)),
        lambda url, to, replace, progress: back_up(file_of(url), to, replace=replace, progress=progress),
        lambda url, backup, progress: restore(file_of(url), backup, progress=progress),
        _refuse_epoch,
        lambda url, suffix: DatabasePath(file_of(url)).beside(suffix),
        False,
        lambda url: str(DatabasePath(file_of(url)).real),
        lambda url: open_sqlite_rows(file_of(url)),
        lambda url: open_sqlite_row_target(file_of(url)),
    ),
    POSTGRES_SCHEME: _Engine(
        _open_postgres,
        lambda url: cast("Awaitable[None]", _postgres("opening").require_server(url)),
        lambda url: cast("Awaitable[bool]", _postgres("opening").has_schema(url)),
        lambda url: cast("list[Finding]", _postgres("check").check_postgres(url)),
        _refuse_backup,
        _refuse_restore,
        lambda url: cast("Awaitable[str]", _postgres("opening").renew_epoch(url)),
        _beside_postgres,
        True,
        lambda url: parse_postgres_url(url).shown,
        lambda url: _postgres("rows").open_postgres_rows(url),
        lambda url: _postgres("row_target").open_postgres_row_target(url),
    ),
}


def _engine(url: str) -> _Engine:
    scheme, _, _ = url.partition(":")
    return _ENGINES[scheme]
