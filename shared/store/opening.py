"""Opening a store: the one module that knows which engines there are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.settings import Settings
from shared.store import Store
from shared.store.sqlite.opening import open_sqlite


@asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[Store]:
    """Open the database that ``settings.database_url`` names, migrated; closed again on exit.

    Should the store's own background work die, the body is cancelled and its error raised.

    Raises:
        Unavailable: the database cannot be opened.
    """
    async with open_sqlite(settings.sqlite_path) as store:
        yield store
