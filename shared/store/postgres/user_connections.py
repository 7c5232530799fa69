"""The SQL of the connections that each user has at each process of all machines."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Final

from shared.store.postgres.pool import Connection, Pool
from shared.store.shared_counts import LEASE_SECONDS, Elsewhere

_LEASE: Final = timedelta(seconds=LEASE_SECONDS)


class PostgresConnections:
    """A ``shared.store.shared_counts.ConnectionCounts``. The times are the server's, so no machine's clock matters."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def publish(self, process: int, kind: str, connections: Mapping[int, int]) -> bool:
        return await self._pool.read(lambda connection: _publish(connection, process, kind, connections))

    async def full(self, process: int, kind: str, users: Collection[int], most: int) -> dict[int, Elsewhere]:
        return await self._pool.read(lambda connection: _read_full(connection, process, kind, users, most))

    async def leave(self, process: int) -> None:
        await self._pool.read(lambda connection: _leave(connection, process))

    async def forget_gone(self) -> None:
        await self._pool.read(_forget_gone)


async def _publish(connection: Connection, process: int, kind: str, connections: Mapping[int, int]) -> bool:
    """One statement: its row of ``serving`` is locked first, so nobody forgets the process meanwhile."""
    is_new: bool = await connection.fetchval(
        """
        WITH serving_now AS (
            INSERT INTO serving (process, kind, seen) VALUES ($1, $2, now())
            ON CONFLICT (process) DO UPDATE SET seen = excluded.seen
            RETURNING process, xmax = 0 AS is_new  -- an updated row was locked, by xmax
        ), given AS (
            SELECT * FROM serving_now, unnest($3::bigint[], $4::integer[]) AS given (user_id, connections)
        ), ended AS (
            DELETE FROM user_connections AS kept USING given
            WHERE kept.user_id = given.user_id AND kept.process = given.process AND given.connections = 0
        ), written AS (
            INSERT INTO user_connections AS kept (user_id, process, connections, grown)
            SELECT user_id, process, connections, now() FROM given WHERE connections > 0
            ON CONFLICT (user_id, process) DO UPDATE SET
                connections = excluded.connections,
                grown = CASE WHEN excluded.connections > kept.connections THEN excluded.grown ELSE kept.grown END
            WHERE kept.connections <> excluded.connections
        )
        SELECT is_new FROM serving_now
        """,
        process,
        kind,
        list(connections),
        list(connections.values()),
    )
    return is_new


async def _read_full(
    connection: Connection, process: int, kind: str, users: Collection[int], most: int
) -> dict[int, Elsewhere]:
    rows = await connection.fetch(
        """
        SELECT each.user_id,
            coalesce(sum(each.connections) FILTER (WHERE each.process <> $1), 0),
            coalesce(sum(each.connections) FILTER (WHERE (each.grown, each.process) < (ours.grown, ours.process)), 0)
        FROM user_connections AS each
        JOIN serving ON serving.process = each.process AND kind = $2 AND seen > now() - $5::interval
        LEFT JOIN user_connections AS ours ON ours.user_id = each.user_id AND ours.process = $1
        WHERE each.user_id = ANY ($3)
        GROUP BY each.user_id HAVING sum(each.connections) >= $4
        """,
        process,
        kind,
        list(users),
        most,
        _LEASE,
    )
    return {user_id: Elsewhere(connections, earlier) for user_id, connections, earlier in rows}


async def _leave(connection: Connection, process: int) -> None:
    await connection.execute(
        """
        WITH left_now AS (DELETE FROM serving WHERE process = $1 RETURNING process)
        DELETE FROM user_connections USING left_now WHERE user_connections.process = left_now.process
        """,
        process,
    )


async def _forget_gone(connection: Connection) -> None:
    """Whoever comes first does so; the others go on without."""
    await connection.execute(
        """
        WITH gone AS (
            SELECT process FROM serving WHERE seen < now() - $1::interval
            ORDER BY seen LIMIT 1 FOR UPDATE SKIP LOCKED
        ), forgotten AS (
            DELETE FROM user_connections USING gone WHERE user_connections.process = gone.process
        )
        DELETE FROM serving USING gone WHERE serving.process = gone.process
        """,
        _LEASE,
    )
