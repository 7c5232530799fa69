"""All rows of a database in the form that all engines share, see ``shared.store.rows``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Final, TypeVar

import asyncpg

from shared.errors import Unavailable
from shared.postgres_url import parse_postgres_url
from shared.store.copies import PART_OF_A_COPY, CopyFailed
from shared.store.postgres.errors import AWAY, describe
from shared.store.postgres.meta import read_copy_mark, read_epoch, read_signing_key
from shared.store.postgres.migrate import lock_schema, newest_version, schema_version
from shared.store.postgres.pool import CONNECT_SECONDS, DEADLINE_SECONDS, Connection, within_deadline
from shared.store.postgres.pooler import APPLICATION, connect
from shared.store.rows import TABLES, TASKS, USERS, Header, Key, Row, Table

T = TypeVar("T")

LONG_SECONDS: Final = 3600.0  # for what reads whole tables
_CLOSE_SECONDS: Final = 2.0
_LEAVE_SECONDS: Final = 2.0  # that processes which have ended take to be gone
_POLL_SECONDS: Final = 0.05
# A server may be set up to end transactions that take long: between two statements a page is written elsewhere.
_BEGIN: Final = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL statement_timeout = 0"
# Columns that are read otherwise than as they stand.
_READ: Final = {"uuid": "uuid::text", "task_id": "task_id::text"}
# Texts that order rows, by their bytes as in all engines.
_BYTES: Final = frozenset({"address"})


class PostgresRows:
    """A ``shared.store.rows.RowSource``."""

    def __init__(self, connection: Connection, name: str) -> None:
        self.name = name
        self._connection = connection

    async def header(self) -> Header:
        return await self._call(_read_header)

    async def counts(self) -> dict[str, int]:
        return await self._call(_count, seconds=LONG_SECONDS)

    async def read(self, table: Table, after: Key, limit: int) -> list[Row]:
        return await self._call(lambda connection: _read(connection, table, after, limit))

    async def _call(self, work: Callable[[Connection], Awaitable[T]], seconds: float = DEADLINE_SECONDS) -> T:
        with postgres_in_one_line(self.name):
            return await within_deadline(self._connection, work(self._connection), seconds)


@contextmanager
def postgres_in_one_line(name: str) -> Iterator[None]:
    """Whatever is wrong with this database is a CopyFailed that names it."""
    try:
        yield
    except Unavailable as error:
        raise CopyFailed(f"{name}: {error.reason}") from error
    except (*AWAY, asyncpg.PostgresError, TimeoutError) as error:
        raise CopyFailed(f"{name}: {describe(error)}") from error


@asynccontextmanager
async def open_postgres_rows(url: str) -> AsyncIterator[PostgresRows]:
    """The rows of a database that nobody writes to or begins to serve meanwhile.

    Raises CopyFailed: it is in use, is another program's, or its schema is older.
    """
    async with connection_for_a_copy(url) as (connection, name):
        # One transaction to the end, for the locks: the rows stay as they are.
        await within_deadline(connection, connection.execute(_BEGIN))
        await within_deadline(connection, lock_schema(connection))
        version, newest = await within_deadline(connection, schema_version(connection)), newest_version()
        if version != newest:
            raise CopyFailed(
                f"{name} has schema version {version}, not {newest}: `taskbeam migrate` brings it up to date"
            )
        if await within_deadline(connection, read_copy_mark(connection)) is not None:
            raise CopyFailed(f"{name}: {PART_OF_A_COPY}")
        await require_unused(connection, name)
        tables = ", ".join([*(table.name for table in TABLES), "feeds", "counters", "meta"])
        await within_deadline(connection, connection.execute(f"LOCK TABLE {tables} IN SHARE MODE"))
        yield PostgresRows(connection, name)


@asynccontextmanager
async def connection_for_a_copy(url: str) -> AsyncIterator[tuple[Connection, str]]:
    """A connection, and the database's name for people. Raises CopyFailed, also for what the body does with the connection."""
    parsed = parse_postgres_url(url)
    name = parsed.shown
    with postgres_in_one_line(name):
        connection = await connect(parsed.dsn, timeout=CONNECT_SECONDS)
        try:
            yield connection, name
        finally:
            with suppress(*AWAY, TimeoutError):
                await connection.close(timeout=_CLOSE_SECONDS)


async def require_unused(connection: Connection, name: str) -> None:
    """Raises CopyFailed where a process of ours has a connection. Only under ``lock_schema``, which keeps others from opening."""
    deadline = asyncio.get_running_loop().time() + _LEAVE_SECONDS
    while addresses := await within_deadline(connection, _find_others(connection)):
        if asyncio.get_running_loop().time() > deadline:
            raise CopyFailed(f"{name} is in use, from {addresses}: stop Taskbeam first")
        await asyncio.sleep(_POLL_SECONDS)


async def _find_others(connection: Connection) -> str | None:
    """The addresses of the processes of ours that have a connection."""
    await connection.execute("SELECT pg_stat_clear_snapshot()")
    addresses: str | None = await connection.fetchval(
        "SELECT string_agg(DISTINCT coalesce(host(client_addr), 'this machine'), ', ') FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name = $1 AND pid <> pg_backend_pid()",
        APPLICATION,
    )
    return addresses


async def _read_header(connection: Connection) -> Header:
    newest = dict(await connection.fetch("SELECT name, value FROM counters"))
    key = await read_signing_key(connection)
    return Header(await read_epoch(connection), key.fingerprint, newest["users"], newest["revocations"])


async def _count(connection: Connection) -> dict[str, int]:
    return {table.name: await connection.fetchval(f"SELECT count(*) FROM {table.name}") for table in TABLES}


async def _read(connection: Connection, table: Table, after: Key, limit: int) -> list[Row]:
    columns = ", ".join(_READ.get(column, column) for column in table.columns)
    origin = "users JOIN feeds ON user_id = id" if table is USERS else table.name
    names = table.columns[: table.key]
    values: list[Any] = list(after)
    if table is TASKS:
        names = ("user_id", "created", "seq")
        if after:
            values = list(
                await connection.fetchrow(
                    "SELECT user_id, created, seq FROM tasks WHERE uuid = $1::text::uuid", after[1]
                )
            )
    keys = ", ".join(f'{name} COLLATE "C"' if name in _BYTES else name for name in names)
    conditions = []
    if values:
        conditions.append(f"({keys}) > ({', '.join(f'${number + 1}' for number in range(len(values)))})")
    # The bounds of what is joined: or each page would be joined with all users before it.
    if table is USERS and values:
        conditions.append("feeds.user_id > $1")
    if table.moves_seq:  # no foreign key says that there is a user
        bound = "AND users.id >= $1" if values else ""
        conditions.append(f"EXISTS (SELECT 1 FROM users WHERE users.id = {table.name}.user_id {bound})")
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = await connection.fetch(
        f"SELECT {columns} FROM {origin} {where} ORDER BY {keys} LIMIT {limit}", *values
    )
    return [tuple(row) for row in rows]
