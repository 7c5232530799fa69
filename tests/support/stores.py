"""A store without the rest of its database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.store import Store
from shared.store.opening import open_database


@asynccontextmanager
async def open_store(url: str) -> AsyncIterator[Store]:
    async with open_database(url) as database:
        yield database.store
