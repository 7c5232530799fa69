"""The databases of systems under test, on the engine that the environment asks for."""

from __future__ import annotations

import functools
import os
import re
import secrets
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

from shared.postgres_url import parse_postgres_url, with_data_folder
from shared.store.sqlite.database_path import file_of
from tests.support.postgresql import shared_postgresql
from tests.support.valkey import shared_valkey

ENGINE: Final = "TASKBEAM_TEST_ENGINE"
"""With the value ``postgres``, all systems are on PostgreSQL, with Valkey between their processes."""


def database_environ(folder: Path) -> dict[str, str]:
    """The settings that name the database of a folder: the same for all systems in it."""
    if os.environ.get(ENGINE) == "postgres":
        return {"TASKBEAM_DATABASE_URL": _postgres_for(folder), "TASKBEAM_EVENTS_URL": shared_valkey()}
    return {"TASKBEAM_DATABASE_URL": f"sqlite:///{folder}/taskbeam.db"}


def require_sqlite() -> None:
    """Skips a test that is about SQLite's own files where another engine is asked for."""
    if os.environ.get(ENGINE) == "postgres":
        pytest.skip("about the files of SQLite")


@functools.cache
def _postgres_for(folder: Path) -> str:
    """It goes with its server."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(shared_postgresql(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return with_data_folder(f"{shared_postgresql().rpartition('/')[0]}/{name}", folder)


def execute(url: str, statement: str, **values: object) -> list[tuple[Any, ...]]:
    """Run one statement as another program would, in a transaction of its own; ``:name`` stands for a value."""
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(file_of(url), timeout=10)) as database, database:
            return database.execute(statement, values).fetchall()
    with psycopg.connect(parse_postgres_url(url).dsn) as connection:
        cursor = connection.execute(re.sub(r"(?<!:):(\w+)", r"%(\1)s", statement).encode(), values)
        return cursor.fetchall() if cursor.description else []
