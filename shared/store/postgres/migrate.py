"""Numbered SQL files, applied in order; the schema's version is a row of ``meta``."""

from __future__ import annotations

from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

import asyncpg

from shared.errors import Unavailable
from shared.store.postgres.pool import Connection

_LOCK: Final = 0x7461736B0000  # any number that nothing else locks
_LOCK_MILLISECONDS: Final = 8000  # less than the deadline of a connection
_TABLES: Final = ("meta", "users", "tasks", "changes", "sessions", "feeds")


async def migrate(connection: Connection) -> None:
    """Bring the schema up to date; all or nothing for each file.

    All processes may start at once: the lock is the transaction's, and dies with its holder. Whoever comes second finds
    nothing left to do.

    Raises:
        Unavailable: the database is of a newer version than this program, or of another program.
    """
    newest = newest_version()
    for number, file in _files():
        async with connection.transaction():
            await lock_schema(connection)
            version = await schema_version(connection)
            if version > newest:
                raise Unavailable(f"the database has schema version {version}, this program knows {newest}")
            if version < number:
                await connection.execute(file.read_text())
                await connection.execute(
                    "INSERT INTO meta (key, value) VALUES ('schema', $1) "
                    "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                    str(number),
                )


async def lock_schema(connection: Connection) -> None:
    """Keep other processes from opening the database until the transaction ends. Raises Unavailable: one of them does so."""
    await connection.execute(f"SET LOCAL lock_timeout = {_LOCK_MILLISECONDS}")
    try:
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
    except asyncpg.LockNotAvailableError as error:
        raise Unavailable("another process brings it up to date, or copies it") from error


async def schema_version(connection: Connection) -> int:
    """0 for a new database."""
    there = [
        table for table in _TABLES if await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", table)
    ]
    if not there:
        return 0
    version = None
    if len(there) == len(_TABLES):
        version = await connection.fetchval("SELECT value FROM meta WHERE key = 'schema'")
    if version is None:
        raise Unavailable(
            f"the database has a table {there[0]} of another program: give Taskbeam a database of its own"
        )
    return int(version)


@cache
def newest_version() -> int:
    """The schema's, as this program has it."""
    return _files()[-1][0]


def _files() -> list[tuple[int, Traversable]]:
    """In order, with their numbers."""
    files = resources.files("shared.store.postgres").joinpath("migrations").iterdir()
    numbered = [(int(file.name.split("_")[0]), file) for file in files if file.name.endswith(".sql")]
    return sorted(numbered, key=lambda each: each[0])
