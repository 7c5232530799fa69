"""Many rows with one statement: statements cost more than rows."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Final

_ROWS_AT_ONCE: Final = (64, 32, 16, 8, 4, 2, 1)  # few sizes, so that their statements stay prepared


def insert(
    connection: sqlite3.Connection,
    table: str,
    columns: tuple[str, ...],
    rows: Sequence[tuple[object, ...]],
    on_conflict: str = "",
) -> None:
    """Insert rows, in order. ``on_conflict``: the statement's ON CONFLICT clause."""
    start = 0
    for size in _ROWS_AT_ONCE:
        while len(rows) - start >= size:
            values = list(chain.from_iterable(rows[start : start + size]))
            connection.execute(_statement(table, columns, size, on_conflict), values)
            start += size


@functools.cache
def _statement(table: str, columns: tuple[str, ...], rows: int, on_conflict: str) -> str:
    row = f"({', '.join('?' * len(columns))})"
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([row] * rows)} {on_conflict}"
