"""Numbered SQL files, applied in order; the schema's version is SQLite's ``user_version``.

They may call ``moment_of``, which is ``shared.uuid7.tick_of``: a released migration has that name.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

from shared.errors import Unavailable
from shared.uuid7 import tick_of


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the schema up to date; all or nothing for each file.

    Both processes start at once: the transaction takes the write lock, and whoever comes second
    finds nothing left to do. The lock dies with its holder.

    Raises:
        Unavailable: the database is of a newer version than this program.
        sqlite3.Error: from the database.
    """
    numbered = _files()
    newest = newest_version()
    connection.create_function("moment_of", 1, tick_of, deterministic=True)
    for number, file in numbered:
        connection.execute("BEGIN IMMEDIATE")
        try:
            version = schema_version(connection)
            if version > newest:
                raise Unavailable(f"the database has schema version {version}, this program knows {newest}")
            if version < number:
                for statement in _statements(file.read_text()):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def schema_version(connection: sqlite3.Connection) -> int:
    """The database's; 0 for a new one."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


@cache
def newest_version() -> int:
    """The schema's, as this program has it."""
    return _files()[-1][0]


def _files() -> list[tuple[int, Traversable]]:
    """In order, with their numbers."""
    files = resources.files("shared.store.sqlite").joinpath("migrations").iterdir()
    numbered = [(int(file.name.split("_")[0]), file) for file in files if file.name.endswith(".sql")]
    return sorted(numbered, key=lambda each: each[0])


def _statements(script: str) -> Iterator[str]:
    """Split a script; sqlite3's ``executescript`` would commit the transaction first."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement
