"""The store in PostgreSQL: one writer for each process, which writes in groups, and readers from a pool."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TypeVar

from shared.clock import ClockReading
from shared.decisions.imports import AccountImport, ImportedAccount
from shared.decisions.sessions import TokenStatus
from shared.decisions.tasks import BatchRequest, WriteRequest
from shared.metrics.catalogue import COMMIT_GROUP_SIZE, COMMIT_SECONDS
from shared.models import (
    ChangePage,
    Operation,
    Revocation,
    StoredTask,
    TaskPage,
    TaskQuery,
    Token,
    User,
    Write,
    Written,
)
from shared.store import CommitListener
from shared.store.batching import Batcher
from shared.store.postgres import accounts as accounts_sql
from shared.store.postgres import lists, meta
from shared.store.postgres import revocations as revocations_sql
from shared.store.postgres import sessions as sessions_sql
from shared.store.postgres import tasks as tasks_sql
from shared.store.postgres.attempts import PostgresAttempts
from shared.store.postgres.pool import Connection, Pool
from shared.store.postgres.reader import TaskReader
from shared.store.postgres.user_connections import PostgresConnections
from shared.store.postgres.writer import Work, Writer
from shared.store.records import AccountRecord, LoginRecord, SigningKey, Totals
from shared.store.shared_counts import SharedCounts

T = TypeVar("T")

_group_size, _commit_seconds = COMMIT_GROUP_SIZE.child(), COMMIT_SECONDS.child()


def _observe_commit(size: int, seconds: float) -> None:
    _group_size.observe(size)
    _commit_seconds.observe(seconds)


class PostgresStore:
    """See ``shared.store.Store``. ``dsn``: of its database, for a connection beside the pool; ``counts``: of all machines."""

    epoch: str

    def __init__(self, pool: Pool, dsn: str) -> None:
        self.dsn = dsn
        self.counts = SharedCounts(PostgresAttempts(pool), PostgresConnections(pool))
        self._pool = pool
        self._writer = Writer(pool)
        self._task_reader = TaskReader(pool)
        self._writes: Batcher[Work] = Batcher(self._writer.run, linger=True, observe=_observe_commit)

    def listen(self, listener: CommitListener) -> None:
        self._writer.listen(listener)

    async def serve(self) -> None:
        """Do what is asked for until ``close``; to be run as one supervised task."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._task_reader.serve())
            tasks.create_task(self._writes.serve())

    def close(self) -> None:
        """Refuse new work; ``serve`` returns when what waits is done."""
        self._writes.close()
        self._task_reader.close()

    async def _transact(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Have account work done in a transaction; it is, when this returns."""
        outcome: T = await self._writes.submit(work)
        return outcome

    async def read_epoch(self) -> str:
        return await self._pool.read(meta.read_epoch)

    async def ping(self) -> None:
        if self._writer.failure is not None:
            await self._transact(meta.try_writing)
        await self._pool.read(meta.read_epoch)

    def write(
        self, user_id: int, operation: Write, *, now: int, max_tasks: int, write_id: int | None = None
    ) -> Awaitable[Written]:
        return self._writes.submit(WriteRequest(user_id, now, max_tasks, write_id, operation))

    def write_all(
        self, user_id: int, operations: Sequence[Operation], *, now: int, max_tasks: int
    ) -> Awaitable[list[Written]]:
        return self._writes.submit(BatchRequest(user_id, now, max_tasks, operations))

    async def task(self, user_id: int, uuid: str) -> StoredTask:
        return await self._task_reader.submit(user_id, uuid)

    async def tasks(self, user_id: int, query: TaskQuery) -> TaskPage:
        return await self._pool.read(lambda connection: lists.read_list(connection, user_id, query))

    async def deleted_tasks(self) -> set[str]:
        return await self._pool.read(tasks_sql.read_deleted_tasks)

    async def seq(self, user_id: int) -> int:
        return await self._pool.read(lambda connection: tasks_sql.read_seq(connection, user_id))

    async def changes(self, user_id: int, epoch: str, since: int, limit: int) -> ChangePage:
        same_epoch = epoch == self.epoch
        return await self._pool.read(
            lambda connection: tasks_sql.read_changes(connection, user_id, same_epoch, since, limit)
        )

    async def count_changes(self) -> int:
        return await self._pool.read(tasks_sql.count_changes)

    async def seqs(self, user_ids: Collection[int]) -> dict[int, int]:
        return await self._pool.read(lambda connection: tasks_sql.read_seqs(connection, user_ids))

    async def revocations(self, after: int | None) -> tuple[list[Revocation], int]:
        """See ``revocations.read_revocations``."""
        return await self._pool.read(lambda connection: revocations_sql.read_revocations(connection, after))

    async def signing_key(self) -> SigningKey:
        return await self._pool.read(meta.read_signing_key)

    async def set_signing_key(self, fingerprint: str) -> None:
        await self._transact(lambda connection: meta.write_signing_key(connection, fingerprint))

    async def add_user(self, username: str, key: str, password: str, now: int) -> User:
        return await self._transact(
            lambda connection: accounts_sql.add_user(connection, username, key, password, now)
        )

    async def import_accounts(self, accounts: Sequence[ImportedAccount]) -> list[AccountImport]:
        return await self._transact(lambda connection: accounts_sql.import_accounts(connection, accounts))

    async def user_by_key(self, key: str) -> User | None:
        return await self._pool.read(lambda connection: accounts_sql.user_by_key(connection, key))

    async def login_record(self, key: str, address: str) -> LoginRecord:
        return await self._pool.read(
            lambda connection: accounts_sql.read_login_record(connection, key, address)
        )

    async def token_status(self, token: Token) -> TokenStatus | None:
        return await self._pool.read(lambda connection: sessions_sql.read_token_status(connection, token))

    async def ended_tokens(self, tokens: Sequence[Token]) -> list[Token]:
        return await self._pool.read(lambda connection: sessions_sql.find_ended_tokens(connection, tokens))

    async def version(self) -> int:
        return await self._pool.read(meta.read_version)

    async def set_password(self, user: User, password: str, at: ClockReading) -> bool:
        return await self._transact(
            lambda connection: accounts_sql.set_password(connection, user, password, at)
        )

    async def renew_hash(self, user: User, password: str) -> None:
        await self._transact(lambda connection: accounts_sql.renew_hash(connection, user, password))

    async def delete_user(self, user: User, at: ClockReading) -> bool:
        return await self._transact(lambda connection: accounts_sql.delete_user(connection, user, at))

    async def totals(self) -> Totals:
        return await self._pool.read(meta.read_totals)

    async def accounts(self, after: int, limit: int) -> list[AccountRecord]:
        return await self._pool.read(lambda connection: accounts_sql.read_accounts(connection, after, limit))

    async def set_active(self, user_id: int, is_active: bool, at: ClockReading) -> bool:
        return await self._transact(
            lambda connection: accounts_sql.set_active(connection, user_id, is_active, at)
        )

    async def begin_family(
        self, sid: str, user: User, expires: int, address: str | None, at: ClockReading, patience: int
    ) -> None:
        await self._transact(
            lambda connection: sessions_sql.begin_family(
                connection, sid, user, expires, address, at, patience
            )
        )

    async def extend_family(self, sid: str, expires: int) -> bool:
        return await self._transact(lambda connection: sessions_sql.extend_family(connection, sid, expires))

    async def exchange_token(
        self, token: Token, new_sid: str, expires: int, at: ClockReading, grace: int, patience: int
    ) -> str | None:
        return await self._transact(
            lambda connection: sessions_sql.exchange_token(
                connection, token, new_sid, expires, at, grace, patience
            )
        )

    async def end_family(self, token: Token, new_sid: str, at: ClockReading) -> None:
        await self._transact(lambda connection: sessions_sql.end_family(connection, token, new_sid, at))
