"""The SQL that deletes rows of accounts whose time is over, see ``shared.decisions.aging``."""

from __future__ import annotations

import sqlite3
from typing import Final

from shared.clock import ClockReading
from shared.decisions.aging import REVOCATIONS_KEPT_SECONDS, EvenClock, follow_clock, may_delete

_ROWS_AT_ONCE: Final = 500  # a caller adds one


def age_out(connection: sqlite3.Connection, at: ClockReading, patience: int) -> None:
    """Delete some rows of each kind whose time is over.

    Args:
        patience: seconds that a row must be past its time, and that the clock must have run evenly.
    """
    rows = connection.execute("SELECT boot, ahead, since FROM even_clock").fetchall()
    known = EvenClock(*rows[0]) if rows else None
    clock = follow_clock(known, at)
    if clock != known:
        connection.execute(
            "INSERT OR REPLACE INTO even_clock (id, boot, ahead, since) VALUES (1, ?, ?, ?)", clock
        )
    elif may_delete(clock, at, patience):
        for table, key, time, until in (
            ("sessions", "sid", "expires", at.time - patience),
            ("rotated_tokens", "jti", "expires", at.time - patience),
            ("revocations", "position", "time", at.time - REVOCATIONS_KEPT_SECONDS),
        ):
            connection.execute(
                f"DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} WHERE {time} < ? LIMIT ?)",
                (until, _ROWS_AT_ONCE),
            )
