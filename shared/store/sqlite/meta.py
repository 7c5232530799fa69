"""The table ``meta``: epoch, signing key, stamp, the mark of a copy; and the content of the file by which it is recognized."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

from shared.store.records import SigningKey
from shared.store.sqlite.database_path import DatabasePath

Content = tuple[object, ...]
"""A few values of a database file, by which its content is compared."""

COPY_MARK: Final = "copy"
"""The key of the mark that a database has until a copy into it has ended."""

_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_STAMP: Final = "INSERT OR REPLACE INTO meta (key, value) VALUES ('stamp', lower(hex(randomblob(?))))"
_STAMP_BYTES: Final = 8
_TRIAL_BYTES: Final = 32 * 1024


def read_epoch(connection: sqlite3.Connection) -> str:
    """Identifies this history of changes: another database, or a restored one, has another epoch."""
    epoch: str = connection.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()[0]
    return epoch


def new_epoch(connection: sqlite3.Connection) -> None:
    """Name this history of changes anew, after a restore: clients that knew the former one read everything again."""
    connection.execute("UPDATE meta SET value = lower(hex(randomblob(8))) WHERE key = 'epoch'")


def read_version(connection: sqlite3.Connection) -> int:
    """Changes with every commit of another connection (sqlite.org/pragma.html#pragma_data_version)."""
    version: int = connection.execute("PRAGMA data_version").fetchone()[0]
    return version


def read_signing_key(connection: sqlite3.Connection) -> SigningKey:
    """The key that signed last, and whether there are users, who may have tokens."""
    rows = connection.execute("SELECT value FROM meta WHERE key = 'signing_key'").fetchall()
    has_users = connection.execute("SELECT EXISTS (SELECT 1 FROM users)").fetchone()[0]
    return SigningKey(rows[0][0] if rows else None, bool(has_users))


def write_signing_key(connection: sqlite3.Connection, fingerprint: str) -> None:
    """Store which key signs now."""
    connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('signing_key', ?)", (fingerprint,))


def read_copy_mark(connection: sqlite3.Connection) -> str | None:
    """The mark of a copy that has not ended."""
    rows = connection.execute("SELECT value FROM meta WHERE key = ?", (COPY_MARK,)).fetchall()
    return rows[0][0] if rows else None


def stamp(connection: sqlite3.Connection) -> None:
    """Write a new random stamp, by which the next checkpoint changes the file's content."""
    connection.execute(_STAMP, (_STAMP_BYTES,))


def try_writing(connection: sqlite3.Connection) -> None:
    """Write as many pages as a large request does: on a nearly full disk a single page might still fit."""
    connection.execute(_STAMP, (_TRIAL_BYTES,))


def immutable_uri(path: Path) -> str:
    """A URI to read the file alone: SQLite then takes no lock, and makes no file."""
    return f"file:{quote(str(path))}?mode=ro&immutable=1"


def read_file(path: DatabasePath) -> Content:
    """The content of the file without its log; empty for a file that is damaged or not a database.

    Raises:
        sqlite3.Error: it cannot be read now; its content is unknown.
    """
    try:
        with closing(sqlite3.connect(immutable_uri(path.real), uri=True)) as connection:
            versions = connection.execute(
                "SELECT user_version, schema_version, page_size FROM"
                " pragma_user_version, pragma_schema_version, pragma_page_size"
            ).fetchall()
            tables = connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'meta'").fetchone()
            rows = connection.execute("SELECT key, value FROM meta").fetchall() if tables[0] else []
            return (*versions, *rows)
    except sqlite3.Error as error:
        if error.sqlite_errorcode & 0xFF in _DAMAGED:
            return ()
        raise
