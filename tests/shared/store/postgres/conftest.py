"""PostgreSQL alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.shared.store.postgres.engine import PostgresEngine


@pytest.fixture
def engine(tmp_path: Path) -> PostgresEngine:
    return PostgresEngine(tmp_path)
