"""Opening the PostgreSQL database: its schema is brought up to date, and it is served until the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final, TypeVar

import asyncpg

from shared.errors import Unavailable
from shared.postgres_url import PostgresUrl, parse_postgres_url
from shared.store.copies import PART_OF_A_COPY
from shared.store.postgres import meta
from shared.store.postgres.errors import AWAY, describe
from shared.store.postgres.meta import read_copy_mark
from shared.store.postgres.migrate import migrate, schema_version
from shared.store.postgres.pool import CONNECT_SECONDS, Connection, Pool, make_pool
from shared.store.postgres.store import PostgresStore

T = TypeVar("T")

_CLOSE_SECONDS: Final = 5.0


@asynccontextmanager
async def open_postgres(url: str) -> AsyncIterator[PostgresStore]:
    """Raises Unavailable: the database cannot be reached, is another program's, or of a newer version."""
    parsed = parse_postgres_url(url)
    pool = await make_pool(parsed)
    try:
        store = PostgresStore(Pool(pool), parsed.dsn)
        with _in_one_line(parsed):
            await Pool(pool).use(migrate)
            if await Pool(pool).use(read_copy_mark) is not None:
                raise Unavailable(PART_OF_A_COPY)
            store.epoch = await store.read_epoch()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(store.serve())
            try:
                yield store
            finally:
                store.close()
    finally:
        try:
            await asyncio.wait_for(pool.close(), _CLOSE_SECONDS)
        except TimeoutError:
            pool.terminate()


async def require_server(url: str) -> None:
    """See ``shared.store.opening.require_server``. Raises Unavailable."""
    parsed = parse_postgres_url(url)
    with _in_one_line(parsed):
        try:
            connection = await asyncpg.connect(parsed.dsn, timeout=CONNECT_SECONDS)
        except TimeoutError as error:
            raise Unavailable("PostgreSQL does not answer") from error
        except (OSError, asyncpg.CannotConnectNowError):  # away, or just starting
            raise
        except (
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
        ):  # whoever opens the database says what is wrong
            return
        connection.terminate()


async def has_schema(url: str) -> bool:
    """Whether it is a database of Taskbeam already. Raises Unavailable as `open_postgres`."""
    return await _use(url, schema_version) > 0


async def renew_epoch(url: str) -> str:
    """See ``shared.store.opening.renew_epoch``. Raises Unavailable."""

    async def work(connection: Connection) -> str:
        if not await schema_version(connection):
            raise Unavailable("there is no database of Taskbeam")
        return await meta.renew_epoch(connection)

    return await _use(url, work)


async def _use(url: str, work: Callable[[Connection], Awaitable[T]]) -> T:
    parsed = parse_postgres_url(url)
    with _in_one_line(parsed):
        async with make_pool(parsed) as pool:
            return await Pool(pool).use(work)


@contextmanager
def _in_one_line(url: PostgresUrl) -> Iterator[None]:
    """What keeps it from being opened is Unavailable, and says where it is."""
    try:
        yield
    except Unavailable as error:
        raise Unavailable(f"cannot open {url.shown}: {error.reason}") from error
    except AWAY as error:
        raise Unavailable(f"cannot open {url.shown}: {describe(error)}") from error
