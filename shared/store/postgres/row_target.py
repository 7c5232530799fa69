"""A database that rows of the common form are copied into, see ``shared.store.rows``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import msgspec

from shared.clock import parse_timestamp
from shared.store.copies import CopyFailed
from shared.store.postgres.hash_costs import hash_cost
from shared.store.postgres.meta import COPY_MARK, read_copy_mark, write_signing_key
from shared.store.postgres.migrate import lock_schema, migrate, schema_version
from shared.store.postgres.pool import Connection, within_deadline
from shared.store.postgres.rows import LONG_SECONDS, PostgresRows, connection_for_a_copy, require_unused
from shared.store.rows import TABLES, TASKS, USERS, Header, Mark, Row, Table

T = TypeVar("T")

_TASK_COLUMNS: Final = ("uuid", "user_id", "created", "seq", "json")


class _Times(msgspec.Struct, gc=False):
    time_created: str


_decode_times = msgspec.json.Decoder(_Times).decode
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Mark).decode


class PostgresRowTarget(PostgresRows):
    """A ``shared.store.rows.RowTarget``."""

    def __init__(self, connection: Connection, name: str) -> None:
        super().__init__(connection, name)
        self._mark: str | None = None  # as it is stored

    async def mark(self) -> Mark | None:
        self._mark = await self._call(read_copy_mark)
        return None if self._mark is None else _decode(self._mark)

    async def begin(self, header: Header, mark: Mark) -> None:
        async def work(connection: Connection) -> None:
            await lock_schema(connection)
            await require_unused(connection, self.name)
            if self._mark is None:
                await _require_empty(connection, self.name)
            tables = ", ".join([*(table.name for table in TABLES), "feeds"])
            await connection.execute(f"TRUNCATE {tables}")
            await _write_header(connection, header)

        await self._transact(work, mark)

    async def write(self, table: Table, rows: Sequence[Row], mark: Mark) -> None:
        async def work(connection: Connection) -> None:
            if rows:
                await _append(connection, table, rows)

        await self._transact(work, mark)

    async def finish(self) -> None:
        # What the planner knows of empty tables would have it read whole ones.
        await self._call(lambda connection: connection.execute("ANALYZE"), LONG_SECONDS)
        await self._transact(_nothing, None)

    async def _transact(self, work: Callable[[Connection], Awaitable[None]], mark: Mark | None) -> None:
        """Only the last commit waits for the disk, and so for all before it."""
        text = None if mark is None else _encode(mark).decode()

        async def whole(connection: Connection) -> None:
            async with connection.transaction():
                if mark is not None:
                    await connection.execute("SET LOCAL synchronous_commit = off")
                await work(connection)
                if not await _replace_mark(connection, self._mark, text):
                    raise CopyFailed(f"{self.name}: another process copies into it")

        await self._call(whole)
        self._mark = text


async def _nothing(connection: Connection) -> None:
    pass


@asynccontextmanager
async def open_postgres_row_target(url: str) -> AsyncIterator[PostgresRowTarget]:
    """A database without rows, or with a mark, whose tables are made where there are none.

    Raises CopyFailed: it is in use, is another program's, or has rows and no mark.
    """
    async with connection_for_a_copy(url) as (connection, name):
        await within_deadline(connection, _require_new_or_marked(connection, name))
        await within_deadline(connection, migrate(connection))
        yield PostgresRowTarget(connection, name)


async def _require_new_or_marked(connection: Connection, name: str) -> None:
    if await schema_version(connection) and await read_copy_mark(connection) is None:
        await _require_empty(connection, name)


async def _require_empty(connection: Connection, name: str) -> None:
    if await connection.fetchval(
        "SELECT EXISTS (SELECT 1 FROM counters WHERE name IN ('users', 'revocations') AND value > 0) "
        "OR EXISTS (SELECT 1 FROM users)"
    ):
        raise CopyFailed(f"{name} is not empty: a copy goes into a new database")


async def _replace_mark(connection: Connection, former: str | None, text: str | None) -> bool:
    """False where the mark is another one than it was left."""
    if former is None:
        done = await connection.fetchval(
            "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING true",
            COPY_MARK,
            text,
        )
    elif text is None:
        done = await connection.fetchval(
            "DELETE FROM meta WHERE key = $1 AND value = $2 RETURNING true", COPY_MARK, former
        )
    else:
        done = await connection.fetchval(
            "UPDATE meta SET value = $3 WHERE key = $1 AND value = $2 RETURNING true",
            COPY_MARK,
            former,
            text,
        )
    return bool(done)


async def _write_header(connection: Connection, header: Header) -> None:
    await connection.execute("UPDATE meta SET value = $1 WHERE key = 'epoch'", header.epoch)
    await connection.execute("DELETE FROM meta WHERE key = 'signing_key'")
    if header.signing_key is not None:
        await write_signing_key(connection, header.signing_key)
    for name, newest in (("users", header.user_ids), ("revocations", header.revocations)):
        await connection.execute("UPDATE counters SET value = $2 WHERE name = $1", name, newest)


async def _append(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    if table is USERS:
        costs = [hash_cost(row[table.columns.index("password")]) for row in rows]
        users = [(*row[:-2], *cost) for row, cost in zip(rows, costs, strict=True)]
        await _insert(connection, "users", (*table.columns[:-2], "hash_form", "hash_cost"), users)
        feeds = [(row[0], *row[-2:]) for row in rows]
        await _insert(connection, "feeds", ("user_id", "seq", "tasks"), feeds)
    elif table is TASKS:
        await _insert(connection, "tasks", _TASK_COLUMNS, await _placed(connection, rows))
    else:
        await _insert(connection, table.name, table.columns, rows)


async def _insert(connection: Connection, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
    await connection.copy_records_to_table(table, columns=columns, records=rows)


async def _placed(connection: Connection, rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    """Tasks with their places: the moment of the creation and, within it, a turn, which is less than the seq of any later create.

    They come user by user, in each user's order, which the places keep also where times go back.
    """
    user_id, created, turn = rows[0][0], -1, 0
    newest = await connection.fetchrow(  # the page before may have ended with tasks of this user
        "SELECT created, seq FROM tasks WHERE user_id = $1 ORDER BY created DESC, seq DESC LIMIT 1", user_id
    )
    if newest is not None:
        created, turn = newest
    placed = []
    for user, uuid, json in rows:
        if user != user_id:
            user_id, created = user, -1
        now = parse_timestamp(_decode_times(json).time_created)
        created, turn = (now, 0) if now > created else (created, turn + 1)
        placed.append((uuid, user, created, turn, json))
    return placed
