"""Whether a connection pooler, such as PgBouncer, stands between.

In transaction mode it gives each transaction a connection to the server that others had before. A prepared statement that is
kept on one is missing on the next, or another process's of the same name is there and would be carried out. So behind
a pooler none is kept: each statement is parsed anew, together with its use.
"""

from __future__ import annotations

from typing import Any, Final

import asyncpg

APPLICATION: Final = "taskbeam"
"""How the server names our connections (``pg_stat_activity``)."""


async def connect(dsn: str, **options: Any) -> Any:
    """As asyncpg's ``connect``; the connection keeps prepared statements only where no pooler is between.

    Raises ConnectionError, too, where the server is a standby.
    """
    options = {**options, "server_settings": {"application_name": APPLICATION}}
    connection = await asyncpg.connect(dsn, **options)
    try:
        if not await is_behind_pooler(connection):
            return connection
    except BaseException:
        connection.terminate()
        raise
    connection.terminate()
    return await asyncpg.connect(dsn, statement_cache_size=0, **options)


async def is_behind_pooler(connection: Any) -> bool:
    """Whether another process answers than the one that the connection was begun with: a pooler has made up its id.

    Raises:
        ConnectionError: a standby answers. It takes no writes, and must not stay in a pool after a failover.
    """
    # In a transaction, so that the statement is parsed where it is used.
    await connection.execute("BEGIN")
    statement = await connection.prepare("SELECT pg_backend_pid(), pg_is_in_recovery()", name="")
    pid, is_standby = await statement.fetchrow()
    await connection.execute("COMMIT")
    if is_standby:
        raise ConnectionError("the server is a standby, which takes no writes")
    return bool(pid != connection.get_server_pid())
