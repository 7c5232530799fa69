"""The SQL of revocations, which every process must hear of."""

from __future__ import annotations

from typing import Final

from shared.clock import ClockReading
from shared.models import Revocation
from shared.store.postgres.meta import next_number
from shared.store.postgres.pool import Connection

_PAGE: Final = 1000


async def append_revocation(connection: Connection, user_id: int, sid: str | None, at: ClockReading) -> None:
    """The end of a token family, or (``None``) of all of a user's tokens.

    Its number is the counter's, which stays locked until the commit. So whoever has read up to a number has missed none
    before it.
    """
    position = await next_number(connection, "revocations")
    await connection.execute(
        "INSERT INTO revocations (position, user_id, sid, time) VALUES ($1, $2, $3, $4)",
        position,
        user_id,
        sid,
        at.time,
    )


async def read_revocations(connection: Connection, after: int | None) -> tuple[list[Revocation], int]:
    """Those that were committed after a position, oldest first, a page of them, and the position of the last.

    ``None``: none, and the newest position.
    """
    if after is None:
        newest: int = await connection.fetchval("SELECT value FROM counters WHERE name = 'revocations'")
        return [], newest
    rows = await connection.fetch(
        "SELECT user_id, sid, position FROM revocations WHERE position > $1 ORDER BY position LIMIT $2",
        after,
        _PAGE,
    )
    return [Revocation(row[0], row[1]) for row in rows], rows[-1][2] if rows else after
