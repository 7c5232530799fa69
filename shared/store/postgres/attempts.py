"""The SQL of attempts that all machines count together."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Final

from shared.store.postgres.pool import Connection, Pool
from shared.store.shared_counts import Counted

_FORGOTTEN_AT_ONCE: Final = 20  # more than a caller adds
_SECONDS_LEFT: Final = "extract(epoch FROM began + $2::interval - now())::float8"


class PostgresAttempts:
    """A ``shared.store.shared_counts.AttemptCounts``. The times are the server's, so no machine's clock matters."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def count(self, keys: Collection[bytes], window_seconds: float) -> dict[bytes, Counted]:
        window = timedelta(seconds=window_seconds)
        return await self._pool.read(lambda connection: _count(connection, keys, window))

    async def read(self, keys: Collection[bytes], window_seconds: float) -> dict[bytes, Counted]:
        window = timedelta(seconds=window_seconds)
        return await self._pool.read(lambda connection: _read(connection, keys, window))

    async def take_back(self, attempts: Mapping[tuple[bytes, object], int]) -> None:
        await self._pool.read(lambda connection: _take_back(connection, attempts))


async def _count(connection: Connection, keys: Collection[bytes], window: timedelta) -> dict[bytes, Counted]:
    """One statement, whose commit waits for nothing. Rows are locked in the order of the keys."""
    in_window = "kept.began > excluded.began - $2::interval AND kept.began < excluded.began + $2::interval"
    rows = await connection.fetch(
        f"""
        WITH over AS (
            SELECT key FROM attempts WHERE began < now() - $2::interval AND key <> ALL ($1)
            ORDER BY began LIMIT {_FORGOTTEN_AT_ONCE} FOR UPDATE SKIP LOCKED
        ), forgotten AS (
            DELETE FROM attempts USING over WHERE attempts.key = over.key
        )
        INSERT INTO attempts AS kept (key, began, attempts)
        SELECT key, now(), 1 FROM unnest($1::bytea[]) AS key ORDER BY key
        ON CONFLICT (key) DO UPDATE SET
            began = CASE WHEN {in_window} THEN kept.began ELSE excluded.began END,
            attempts = CASE WHEN {in_window} THEN kept.attempts + 1 ELSE 1 END
        RETURNING key, attempts, {_SECONDS_LEFT}, began
        """,
        list(keys),
        window,
    )
    return {key: Counted(*counted) for key, *counted in rows}


async def _read(connection: Connection, keys: Collection[bytes], window: timedelta) -> dict[bytes, Counted]:
    rows = await connection.fetch(
        f"SELECT key, attempts, {_SECONDS_LEFT}, began FROM attempts WHERE key = ANY ($1) "
        "AND began > now() - $2::interval AND began < now() + $2::interval",
        list(keys),
        window,
    )
    return {key: Counted(*counted) for key, *counted in rows}


async def _take_back(connection: Connection, attempts: Mapping[tuple[bytes, object], int]) -> None:
    keys, windows = zip(*attempts, strict=True)
    await connection.execute(
        """
        WITH given AS (
            SELECT * FROM unnest($1::bytea[], $2::timestamptz[], $3::integer[]) AS given (key, began, number)
        ), locked AS (
            SELECT key FROM attempts WHERE key = ANY ($1) ORDER BY key FOR UPDATE
        )
        UPDATE attempts SET attempts = attempts - number FROM given JOIN locked USING (key)
        WHERE attempts.key = given.key AND attempts.began = given.began
        """,
        keys,
        windows,
        list(attempts.values()),
    )
