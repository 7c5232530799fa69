"""A database file with one user, and a store on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.store import Store, open_store
from tests.shared.store.owner import Owner, new_owner
from tests.shared.store.sqlite.programs import settings_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "taskbeam.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    async with open_store(settings_of(path)) as store:
        yield store


@pytest.fixture
async def owner(store: Store) -> Owner:
    return await new_owner(store)
