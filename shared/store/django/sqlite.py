"""A Django application's SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from shared.store.django.queries import QueriedSource
from shared.store.django.rows import Source, SourceError
from shared.store.django.tables import find_tables


@contextmanager
def open_sqlite(given: str, users_table: str | None, tasks_table: str | None) -> Iterator[Source]:
    """As ``open_source``. The application may go on meanwhile: what it writes after this is not read."""
    if not Path(given).is_file():
        raise SourceError(f"there is no file {given}")
    try:
        uri = f"file:{quote(str(Path(given).resolve()))}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
            connection.text_factory = _decoded
            connection.execute("BEGIN")
            tables = find_tables(_columns(connection), users_table, tasks_table)
            yield QueriedSource(connection.cursor, tables)
    except sqlite3.Error as error:
        raise SourceError(f"cannot read {given}: {error}") from error


def _decoded(octets: bytes) -> str:
    """SQLite takes any bytes for a text; those that are none stay recognizable."""
    return octets.decode(errors="surrogateescape")


def _columns(connection: sqlite3.Connection) -> dict[str, set[str]]:
    columns: dict[str, set[str]] = {}
    for table, column in connection.execute(
        "SELECT tables.name, columns.name FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns "
        "WHERE tables.type = 'table'"
    ):
        columns.setdefault(table, set()).add(column)
    return columns
