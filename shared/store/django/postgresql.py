"""A Django application's PostgreSQL database, over psycopg 3, which is no dependency of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from shared.store.django.queries import QueriedSource
from shared.store.django.rows import Source, SourceError
from shared.store.django.tables import find_tables


@contextmanager
def open_postgresql(url: str, users_table: str | None, tasks_table: str | None) -> Iterator[Source]:
    """As ``open_source``. The tables are those of the connection's first schema."""
    try:
        import psycopg
    except ImportError as error:
        raise SourceError(
            "to read PostgreSQL, install psycopg where Taskbeam is: pip install 'psycopg[binary]'"
        ) from error
    try:
        psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.Error:
        # Its message repeats parts of the URL, the password too.
        raise SourceError(
            "the URL is malformed: expected postgresql://user:password@host:port/database, special characters in percent encoding"
        ) from None
    try:
        with psycopg.connect(url) as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            tables = find_tables(_columns(connection), users_table, tasks_table)
            # A cursor with a name stays on the server: rows come as they are fetched.
            yield QueriedSource(lambda: connection.cursor(name="rows"), tables)
    except psycopg.Error as error:
        reason, _, _ = str(error).strip().partition("\n")
        raise SourceError(f"cannot read the database: {reason}") from error


def _columns(connection: Any) -> dict[str, set[str]]:
    columns: dict[str, set[str]] = {}
    for table, column in connection.execute(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
    ).fetchall():
        columns.setdefault(table, set()).add(column)
    return columns
