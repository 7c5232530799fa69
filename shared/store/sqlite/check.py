"""A check of the database from beside it, whether it is served or not. Nothing is changed."""

from __future__ import annotations

import glob
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from shared.errors import Unavailable
from shared.store.copies import PART_OF_A_COPY
from shared.store.records import Finding
from shared.store.sqlite.database_path import DatabasePath
from shared.store.sqlite.errors import translated
from shared.store.sqlite.integrity import find_faults
from shared.store.sqlite.meta import read_copy_mark
from shared.store.sqlite.migrate import migrate, newest_version, schema_version
from shared.store.sqlite.opening import has_wal_reset_race
from shared.store.sqlite.ownership import require_ours


def check_sqlite(given: Path) -> list[Finding]:
    """All that was found.

    Raises:
        Unavailable: there is no database of ours, or it cannot be read.
    """
    path = DatabasePath(given)
    if not path.real.exists():
        raise Unavailable(f"there is no database {given}")
    require_ours(path)
    files = list(_look_at_files(path))  # before SQLite makes others beside them
    try:
        with closing(connect_beside(path.real)) as connection:
            connection.execute("BEGIN")  # all of it as it is at one moment
            return [
                *_look_at_rows(connection),
                *_look_at_names(connection),
                *files,
                _version(),
            ]
    except sqlite3.Error as error:
        raise translated(error) from error


def connect_beside(path: Path) -> sqlite3.Connection:
    """A connection that reads a database which processes of ours may have open."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=5)
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("PRAGMA query_only = ON")
    return connection


def _look_at_rows(connection: sqlite3.Connection) -> Iterator[Finding]:
    version, newest = schema_version(connection), newest_version()
    if version < newest:
        yield Finding(
            "warning",
            f"the schema has version {version}, not {newest}: `taskbeam migrate` brings it up to date",
        )
    if version and read_copy_mark(connection) is not None:
        yield Finding("problem", PART_OF_A_COPY)
        return
    faults = list(find_faults(connection))
    yield from (Finding("problem", fault) for fault in faults)
    if not faults:
        what = "the file is whole, every user's change log is gapless, and no row is without its owner"
        yield Finding("ok", what if version == newest else "the file is whole")


def _look_at_names(connection: sqlite3.Connection) -> Iterator[Finding]:
    """Tables, indexes, views and triggers: those of the schema, and no others."""
    if schema_version(connection) != newest_version():
        return
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as reference:
        migrate(reference)
        expected = _names(reference)
    found = _names(connection)
    for kind, name in sorted(found - expected):
        yield Finding("warning", f"another program has added the {kind} {name}")
    for kind, name in sorted(expected - found):
        yield Finding("problem", f"the {kind} {name} is missing")
    if found == expected:
        yield Finding("ok", "the schema is ours, and nobody has added to it")


def _names(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    rows = connection.execute("SELECT type, name FROM sqlite_schema").fetchall()
    return {(kind, name) for kind, name in rows if not name.startswith("sqlite_")}


def _look_at_files(path: DatabasePath) -> Iterator[Finding]:
    open_to_others = False
    for file in sorted(path.real.parent.glob(f"{glob.escape(path.real.name)}*")):
        if file.is_file() and (mode := stat.S_IMODE(file.stat().st_mode)) & 0o077:
            open_to_others = True
            yield Finding(
                "problem", f"{file} has mode {mode:04o}: others than its owner may open it; chmod 600"
            )
    folder = path.real.parent
    if (mode := stat.S_IMODE(folder.stat().st_mode)) & 0o022 and not mode & stat.S_ISVTX:
        open_to_others = True
        yield Finding(
            "problem", f"{folder} has mode {mode:04o}: others may replace the files in it; chmod 700"
        )
    if not open_to_others:
        yield Finding("ok", "the files are their owner's alone")
    if (names := path.real.stat().st_nlink) > 1:
        yield Finding(
            "problem", f"{path.real} has {names} names (hard links): opened by two of them, it is lost"
        )


def _version() -> Finding:
    if has_wal_reset_race(sqlite3.sqlite_version_info):
        return Finding(
            "warning",
            f"SQLite {sqlite3.sqlite_version} has the WAL-reset race (fixed in 3.51.3): Taskbeam's write lock keeps it "
            "away, as long as no other program writes to the database",
        )
    return Finding("ok", f"SQLite {sqlite3.sqlite_version} does not have the WAL-reset race")
