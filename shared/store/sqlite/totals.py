"""How much there is in the file, for operators."""

from __future__ import annotations

import sqlite3

from shared.store.records import Totals
from shared.store.sqlite.database_path import DatabasePath


def read_totals(connection: sqlite3.Connection, path: DatabasePath) -> Totals:
    """As `Store.totals`; the size is that of the file and its log."""
    users, disabled, tasks, changes, families = connection.execute(
        "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM users WHERE is_active = 0), "
        "(SELECT coalesce(sum(tasks), 0) FROM feeds), (SELECT count(*) FROM changes), "
        "(SELECT count(*) FROM sessions WHERE revoked = 0)"
    ).fetchone()
    size = sum(file.stat().st_size for file in (path.real, path.wal) if file.exists())
    return Totals(users, disabled, tasks, changes, families, size)
