"""Opening the PostgreSQL database: its schema is brought up to date, and it is served until the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from shared.errors import Unavailable
from shared.postgres_url import parse_postgres_url
from shared.store.copies import PART_OF_A_COPY
from shared.store.postgres.errors import AWAY, describe
from shared.store.postgres.meta import read_copy_mark
from shared.store.postgres.migrate import migrate
from shared.store.postgres.pool import Pool, make_pool
from shared.store.postgres.store import PostgresStore

_CLOSE_SECONDS: Final = 5.0


@asynccontextmanager
async def open_postgres(url: str) -> AsyncIterator[PostgresStore]:
    """Raises Unavailable: the database cannot be reached, is another program's, or of a newer version."""
    parsed = parse_postgres_url(url)
    pool = await make_pool(parsed)
    try:
        store = PostgresStore(Pool(pool), parsed.dsn)
        try:
            await Pool(pool).use(migrate)
            if await Pool(pool).use(read_copy_mark) is not None:
                raise Unavailable(PART_OF_A_COPY)
            store.epoch = await store.read_epoch()
        except Unavailable as error:
            raise Unavailable(f"cannot open {parsed.shown}: {error.reason}") from error
        except AWAY as error:
            raise Unavailable(f"cannot open {parsed.shown}: {describe(error)}") from error
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
