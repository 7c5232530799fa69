"""A check of the database beside the servers. Nothing is changed."""

from __future__ import annotations

import asyncio
from typing import Final

from shared.errors import Unavailable
from shared.postgres_url import parse_postgres_url
from shared.store.copies import PART_OF_A_COPY
from shared.store.postgres.errors import AWAY, describe
from shared.store.postgres.meta import read_copy_mark
from shared.store.postgres.migrate import newest_version, schema_version
from shared.store.postgres.pool import Connection, Pool, make_pool
from shared.store.records import Finding

_FAULTS: Final = (
    (
        "the change log of user {} has a hole, or does not reach the user's seq",
        """
        SELECT feeds.user_id FROM feeds LEFT JOIN LATERAL (
            SELECT count(*) AS kept, min(seq) AS first, max(seq) AS last FROM changes WHERE user_id = feeds.user_id
        ) AS log ON true
        WHERE seq <> coalesce(last, 0) OR kept <> coalesce(last - first + 1, 0)
        """,
    ),
    (
        "the number of tasks of user {} is not the one that is kept",
        "SELECT user_id FROM feeds WHERE tasks <> (SELECT count(*) FROM tasks WHERE tasks.user_id = feeds.user_id)",
    ),
    ("user {} has no change counter", "SELECT id FROM users WHERE id NOT IN (SELECT user_id FROM feeds)"),
    (
        "there are tasks of user {}, who is gone",
        "SELECT DISTINCT user_id FROM tasks WHERE user_id NOT IN (SELECT id FROM users)",
    ),
    (
        "there are changes of user {}, who is gone",
        "SELECT DISTINCT user_id FROM changes WHERE user_id NOT IN (SELECT id FROM users)",
    ),
)
_SHOWN: Final = 20  # of each kind


def check_postgres(url: str) -> list[Finding]:
    """All that was found. Blocks. Raises Unavailable: the database cannot be read, or is not Taskbeam's."""
    return asyncio.run(_check(url))


async def _check(url: str) -> list[Finding]:
    parsed = parse_postgres_url(url)
    async with make_pool(parsed) as pool:
        try:
            return await Pool(pool).use(_look)
        except Unavailable as error:
            raise Unavailable(f"cannot check {parsed.shown}: {error.reason}") from error
        except AWAY as error:
            raise Unavailable(f"cannot check {parsed.shown}: {describe(error)}") from error


async def _look(connection: Connection) -> list[Finding]:
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        version, newest = await schema_version(connection), newest_version()
        if not version:
            raise Unavailable("there is no database of Taskbeam")
        if version != newest:
            text = f"the schema has version {version}, not {newest}: `taskbeam migrate` brings it up to date"
            return [Finding("warning" if version < newest else "problem", text)]
        if await read_copy_mark(connection) is not None:
            return [Finding("problem", PART_OF_A_COPY)]
        found = []
        for text, query in _FAULTS:
            rows = await connection.fetch(f"{query} LIMIT {_SHOWN}")
            found += [Finding("problem", text.format(row[0])) for row in rows]
        if not found:
            found.append(Finding("ok", "every user's change log is gapless, and no row is without its owner"))
        server = await connection.fetchval("SELECT current_setting('server_version')")
        durable = await connection.fetchval(
            "SELECT current_setting('fsync') = 'on' AND current_setting('synchronous_commit') <> 'off'"
        )
        if durable:
            found.append(Finding("ok", f"PostgreSQL {server}"))
        else:
            text = f"PostgreSQL {server} does not wait for the disk (fsync, synchronous_commit): a crash loses writes"
            found.append(Finding("problem", text))
        return found
