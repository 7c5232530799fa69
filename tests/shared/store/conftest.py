"""The engines, and a store with two users in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.store import Store
from tests.shared.store.engine import Engine
from tests.shared.store.engines import ENGINES
from tests.shared.store.owner import Owner, new_owner


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    return ENGINES[request.param](tmp_path)


@pytest.fixture
async def store(engine: Engine) -> AsyncIterator[Store]:
    async with engine.open() as store:
        yield store


@pytest.fixture
async def elsewhere(store: Store, engine: Engine) -> AsyncIterator[Store]:
    """The same database, as another process has it."""
    async with engine.open() as elsewhere:
        yield elsewhere


@pytest.fixture
async def owner(store: Store) -> Owner:
    return await new_owner(store)


@pytest.fixture
async def stranger(store: Store) -> Owner:
    """Another user, with a task of theirs."""
    stranger = await new_owner(store)
    await stranger.create("A stranger's own")
    return stranger
