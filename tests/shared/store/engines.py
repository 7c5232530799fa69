"""The engines that the contract's suite runs against: a line each."""

from __future__ import annotations

from typing import Final

from tests.shared.store.engine import Engine
from tests.shared.store.postgres.engine import PostgresEngine
from tests.shared.store.sqlite.engine import SqliteEngine

ENGINES: Final[dict[str, type[Engine]]] = {
    "sqlite": SqliteEngine,
    "postgres": PostgresEngine,
}
