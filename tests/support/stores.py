"""A store without the rest of its database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.settings import Settings
from shared.store import Store
from shared.store.opening import open_database


@asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[Store]:
    async with open_database(settings.database_url) as database:
        yield database.store
