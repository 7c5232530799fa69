"""Rows of accounts that have had their time go, though never by one reading of the clock alone.

A clock may be wrong for a moment: after a start without a network, or by somebody's hand. So a row goes when it has been
past its time for a while, by a clock that has gone evenly, beside the uptime, for as long.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from shared.clock import ClockReading

_REVOCATIONS_KEPT_SECONDS: Final = 3600
_UNEVEN_SECONDS: Final = 5  # a clock that is slewed goes evenly; one that is set does not
_ROWS_AT_ONCE: Final = 500  # a caller adds one


def age_out(connection: sqlite3.Connection, at: ClockReading, patience: int) -> None:
    """Delete what has had its time, some rows of each kind.

    Args:
        patience: seconds; how long past its time a row must be, and how long the clock must have gone evenly.
    """
    if not _goes_evenly(connection, at, patience):
        return
    for table, key, time, until in (
        ("sessions", "sid", "expires", at.time - patience),
        ("rotated_tokens", "jti", "expires", at.time - patience),
        ("revocations", "position", "time", at.time - _REVOCATIONS_KEPT_SECONDS),
    ):
        connection.execute(
            f"DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} WHERE {time} < ? LIMIT ?)",
            (until, _ROWS_AT_ONCE),
        )


def _goes_evenly(connection: sqlite3.Connection, at: ClockReading, seconds: int) -> bool:
    ahead = at.time - at.uptime
    rows = connection.execute("SELECT boot, ahead, since FROM even_clock").fetchall()
    if rows:
        boot, ahead_then, since = rows[0]
        if boot == at.boot and abs(ahead - ahead_then) <= _UNEVEN_SECONDS:
            return bool(at.uptime - since >= seconds)
    connection.execute(
        "INSERT OR REPLACE INTO even_clock (id, boot, ahead, since) VALUES (1, ?, ?, ?)",
        (at.boot, ahead, at.uptime),
    )
    return False
