"""The SQL that deletes rows of accounts whose time is over, see ``shared.decisions.aging``."""

from __future__ import annotations

from typing import Final

from shared.clock import ClockReading
from shared.decisions.aging import REVOCATIONS_KEPT_SECONDS, EvenClock, follow_clock, may_delete
from shared.store.postgres.pool import Connection

_ROWS_AT_ONCE: Final = 500  # a caller adds one
_LOCK: Final = 0x7461736B0001  # any number that nothing else locks
_CLOCKS_KEPT_SECONDS: Final = 30 * 86400


async def age_out(connection: Connection, at: ClockReading, patience: int) -> None:
    """Delete some rows of each kind whose time is over. One process at a time does so; the others go on without.

    Args:
        patience: seconds that a row must be past its time, and that this host's clock must have run evenly.
    """
    if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", _LOCK):
        return
    row = await connection.fetchrow("SELECT boot, ahead, since FROM even_clocks WHERE boot = $1", at.boot)
    known = None if row is None else EvenClock(*row)
    clock = follow_clock(known, at)
    if clock != known:
        await connection.execute(
            "INSERT INTO even_clocks (boot, ahead, since, seen) VALUES ($1, $2, $3, $4) ON CONFLICT (boot) "
            "DO UPDATE SET ahead = excluded.ahead, since = excluded.since, seen = excluded.seen",
            *(*clock, at.time),
        )
    elif may_delete(clock, at, patience):
        for table, key, time, until in (
            ("sessions", "sid", "expires", at.time - patience),
            ("rotated_tokens", "jti", "expires", at.time - patience),
            ("revocations", "position", "time", at.time - REVOCATIONS_KEPT_SECONDS),
            ("even_clocks", "boot", "seen", at.time - _CLOCKS_KEPT_SECONDS),
        ):
            await connection.execute(
                f"DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} WHERE {time} < $1 LIMIT $2)",
                until,
                _ROWS_AT_ONCE,
            )
        # By the server's clock, as they are written. A process that writes again makes its row anew.
        await connection.execute("DELETE FROM writers WHERE seen < extract(epoch FROM now()) - 86400")
