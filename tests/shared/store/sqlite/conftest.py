"""What is SQLite's own is tried on SQLite alone, whatever engines there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.shared.store.sqlite.engine import SqliteEngine


@pytest.fixture
def engine(tmp_path: Path) -> SqliteEngine:
    return SqliteEngine(tmp_path)


@pytest.fixture
def path(engine: SqliteEngine) -> Path:
    return engine.path
