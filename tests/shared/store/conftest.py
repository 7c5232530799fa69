"""The engines, and a store with two users in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.settings import Settings
from shared.store import Store, open_store
from tests.shared.store.engines import ENGINES, engine_settings
from tests.shared.store.owner import Owner, new_owner


@pytest.fixture(params=ENGINES)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    return engine_settings(request.param, tmp_path)


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[Store]:
    async with open_store(settings) as store:
        yield store


@pytest.fixture
async def owner(store: Store) -> Owner:
    return await new_owner(store)


@pytest.fixture
async def stranger(store: Store) -> Owner:
    """Another user, with a task of theirs."""
    stranger = await new_owner(store)
    await stranger.create("A stranger's own")
    return stranger
