"""The tables ``meta`` and ``counters``: epoch, signing key, the mark of a copy, numbers; and how much there is."""

from __future__ import annotations

from typing import Final

from shared.store.postgres.pool import Connection
from shared.store.records import SigningKey, Totals

COPY_MARK: Final = "copy"
"""The key of the mark that a database has until a copy into it has ended."""


async def read_epoch(connection: Connection) -> str:
    """Identifies this history of changes: another database, or a restored one, has another epoch."""
    epoch: str = await connection.fetchval("SELECT value FROM meta WHERE key = 'epoch'")
    return epoch


async def read_version(connection: Connection) -> int:
    """Changes when another program may have ended tokens: triggers count that."""
    version: int = await connection.fetchval("SELECT value FROM counters WHERE name = 'silent_ends'")
    return version


async def renew_epoch(connection: Connection) -> str:
    """As after a restore."""
    epoch: str = await connection.fetchval(
        "UPDATE meta SET value = left(replace(gen_random_uuid()::text, '-', ''), 16) WHERE key = 'epoch' RETURNING value"
    )
    return epoch


async def read_signing_key(connection: Connection) -> SigningKey:
    """The key that signed last, and whether there are users, who may have tokens."""
    fingerprint, has_users = await connection.fetchrow(
        "SELECT (SELECT value FROM meta WHERE key = 'signing_key'), EXISTS (SELECT 1 FROM users)"
    )
    return SigningKey(fingerprint, has_users)


async def write_signing_key(connection: Connection, fingerprint: str) -> None:
    """Store which key signs now."""
    await _write(connection, "signing_key", fingerprint)


async def read_copy_mark(connection: Connection) -> str | None:
    """The mark of a copy that has not ended."""
    mark: str | None = await connection.fetchval("SELECT value FROM meta WHERE key = $1", COPY_MARK)
    return mark


async def try_writing(connection: Connection) -> None:
    """Write a value, to see whether anything can be written."""
    await connection.execute(
        "INSERT INTO meta (key, value) VALUES ('stamp', gen_random_uuid()::text) "
        "ON CONFLICT (key) DO UPDATE SET value = excluded.value"
    )


async def _write(connection: Connection, key: str, value: str) -> None:
    await connection.execute(
        "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        key,
        value,
    )


async def next_number(connection: Connection, counter: str) -> int:
    """The next number of a counter, which stays locked until the transaction ends."""
    number: int = await connection.fetchval(
        "UPDATE counters SET value = value + 1 WHERE name = $1 RETURNING value", counter
    )
    return number


async def read_totals(connection: Connection) -> Totals:
    """As `Store.totals`; the size is the database's."""
    row = await connection.fetchrow(
        "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM users WHERE NOT is_active), "
        "(SELECT coalesce(sum(tasks), 0)::bigint FROM feeds), (SELECT count(*) FROM changes), "
        "(SELECT count(*) FROM sessions WHERE NOT revoked), pg_database_size(current_database())"
    )
    return Totals(*row)
