"""What the database says of itself."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

from shared.store.records import SigningKey
from shared.store.sqlite.database_path import DatabasePath

Content = tuple[object, ...]
"""What a database file contains, as far as a few values tell."""

_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_STAMP: Final = "INSERT OR REPLACE INTO meta (key, value) VALUES ('stamp', lower(hex(randomblob(?))))"
_STAMP_BYTES: Final = 8
_TRIAL_BYTES: Final = 32 * 1024


def read_epoch(connection: sqlite3.Connection) -> str:
    """What names this history of changes: another database, or one that was restored, has another."""
    epoch: str = connection.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()[0]
    return epoch


def read_version(connection: sqlite3.Connection) -> int:
    """Changes with every commit of another connection (sqlite.org/pragma.html#pragma_data_version)."""
    version: int = connection.execute("PRAGMA data_version").fetchone()[0]
    return version


def read_signing_key(connection: sqlite3.Connection) -> SigningKey:
    """Which key signed last, and whether there is anybody who has tokens."""
    rows = connection.execute("SELECT value FROM meta WHERE key = 'signing_key'").fetchall()
    has_users = connection.execute("SELECT EXISTS (SELECT 1 FROM users)").fetchone()[0]
    return SigningKey(rows[0][0] if rows else None, bool(has_users))


def write_signing_key(connection: sqlite3.Connection, fingerprint: str) -> None:
    """Remember which key signs now."""
    connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('signing_key', ?)", (fingerprint,))


def stamp(connection: sqlite3.Connection) -> None:
    """Every checkpoint brings another stamp into the file."""
    connection.execute(_STAMP, (_STAMP_BYTES,))


def try_writing(connection: sqlite3.Connection) -> None:
    """Write some pages, as many as a large request: where there is hardly any room, one alone might still find it."""
    connection.execute(_STAMP, (_TRIAL_BYTES,))


def immutable_uri(path: Path) -> str:
    """To read the file by itself: SQLite then takes no lock, and makes no file."""
    return f"file:{quote(str(path))}?mode=ro&immutable=1"


def read_file(path: DatabasePath) -> Content:
    """What the file alone has, without its log. One that is no database, or damaged, has no content.

    Raises:
        sqlite3.Error: it cannot be read now, which says nothing of it.
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
