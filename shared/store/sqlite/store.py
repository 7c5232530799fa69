"""The store in one SQLite file: write-ahead log, one writer connection, readers on their own."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TypeVar

from shared.clock import ClockReading
from shared.decisions.imports import AccountImport, ImportedAccount
from shared.decisions.sessions import TokenStatus
from shared.decisions.tasks import BatchRequest, WriteRequest
from shared.errors import Unavailable
from shared.feed.log import LoggedCommit, Position, Tail
from shared.metrics.catalogue import COMMIT_GROUP_SIZE, COMMIT_SECONDS
from shared.models import (
    ChangePage,
    Operation,
    StoredTask,
    TaskPage,
    TaskQuery,
    Token,
    User,
    Write,
    Written,
)
from shared.store.batching import Batcher
from shared.store.records import AccountRecord, LoginRecord, SigningKey, Totals
from shared.store.sqlite import accounts as accounts_sql
from shared.store.sqlite import feeds, imports, lists, meta
from shared.store.sqlite import log as change_log
from shared.store.sqlite import sessions as sessions_sql
from shared.store.sqlite import tasks as tasks_sql
from shared.store.sqlite.database_path import DatabasePath
from shared.store.sqlite.group_commit import GroupCommit
from shared.store.sqlite.list_cache import ListCache
from shared.store.sqlite.readers import InlineReader, ThreadReader
from shared.store.sqlite.readiness import Readiness
from shared.store.sqlite.totals import read_totals
from shared.store.sqlite.transaction import Work
from shared.store.sqlite.writer import Writer

T = TypeVar("T")

_group_size, _commit_seconds = COMMIT_GROUP_SIZE.child(), COMMIT_SECONDS.child()


def _observe_commit(size: int, seconds: float) -> None:
    _group_size.observe(size)
    _commit_seconds.observe(seconds)


class SqliteStore:
    """See ``shared.store.Store``."""

    epoch: str

    def __init__(
        self,
        path: DatabasePath,
        writer: Writer,
        row_reader: ThreadReader,
        list_reader: ThreadReader,
        inline_reader: InlineReader,
        group_commit: GroupCommit,
    ) -> None:
        self.path = path
        self._writer = writer
        self._writes: Batcher[Work] = Batcher(writer.run, linger=True, observe=_observe_commit)
        self._row_reader = row_reader  # never behind a long list
        self._list_reader = list_reader
        self._inline_reader = inline_reader
        self._list_cache = ListCache()
        self._readiness = Readiness(path.real.parent, row_reader, self._writes, group_commit)

    def listen(self, listener: Callable[[LoggedCommit], None]) -> None:
        self._writer.listen(listener)

    async def serve(self) -> None:
        """Do what is asked for until ``close``; to be run as one supervised task.

        Raises:
            FatalError: in an exception group; see ``OpenFiles``.
        """
        async with asyncio.TaskGroup() as tasks:
            for part in (self._writes, self._row_reader, self._list_reader):
                tasks.create_task(part.serve())
            tasks.create_task(self._writer.tidy())

    def close(self) -> None:
        """Refuse new work; ``serve`` returns when what waits is done."""
        for part in (self._writes, self._row_reader, self._list_reader, self._writer):
            part.close()

    async def read_epoch(self) -> str:
        return await self._row_reader.submit(meta.read_epoch)

    async def ping(self) -> None:
        await self._readiness.check()

    def write(
        self, user_id: int, operation: Write, *, now: int, max_tasks: int, write_id: int | None = None
    ) -> Awaitable[Written]:
        return self._writes.submit(WriteRequest(user_id, now, max_tasks, write_id, operation))

    def write_all(
        self, user_id: int, operations: Sequence[Operation], *, now: int, max_tasks: int
    ) -> Awaitable[list[Written]]:
        return self._writes.submit(BatchRequest(user_id, now, max_tasks, operations))

    def task(self, user_id: int, uuid: str) -> Awaitable[StoredTask]:
        return self._read_row(lambda connection: tasks_sql.read_task(connection, user_id, uuid))

    async def _read_row(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """On the event loop, or, when the database is not free at this moment, on a thread that can wait for it."""
        try:
            return await self._inline_reader.submit(read)
        except Unavailable:
            return await self._row_reader.submit(read)

    async def _transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Have account work done in a transaction; it is, when this returns."""
        outcome: T = await self._writes.submit(work)
        return outcome

    async def tasks(self, user_id: int, query: TaskQuery) -> TaskPage:
        page = await self._read_row(
            lambda connection: lists.read_short_list(connection, self._list_cache, user_id, query)
        )
        if page is None:
            page = await self._list_reader.submit(
                lambda connection: lists.read_list(connection, user_id, query)
            )
        return page

    async def deleted_tasks(self) -> set[str]:
        return await self._list_reader.submit(change_log.read_deleted_tasks)

    async def seq(self, user_id: int) -> int:
        return await self._read_row(lambda connection: feeds.read_feed(connection, user_id).seq)

    async def changes(self, user_id: int, epoch: str, since: int, limit: int) -> ChangePage:
        return await self._list_reader.submit(
            lambda connection: change_log.read_changes(connection, user_id, epoch == self.epoch, since, limit)
        )

    async def count_changes(self) -> int:
        return await self._list_reader.submit(change_log.count_changes)

    async def seqs(self, user_ids: Collection[int]) -> dict[int, int]:
        return await self._row_reader.submit(lambda connection: feeds.read_seqs(connection, user_ids))

    async def position(self) -> Position:
        return await self._row_reader.submit(change_log.read_position)

    async def tail(self, after: Position) -> Tail:
        return await self._row_reader.submit(lambda connection: change_log.read_tail(connection, after))

    async def signing_key(self) -> SigningKey:
        return await self._row_reader.submit(meta.read_signing_key)

    async def set_signing_key(self, fingerprint: str) -> None:
        await self._transact(lambda connection: meta.write_signing_key(connection, fingerprint))

    async def add_user(self, username: str, key: str, password: str, now: int) -> User:
        return await self._transact(
            lambda connection: accounts_sql.add_user(connection, username, key, password, now)
        )

    async def import_accounts(self, accounts: Sequence[ImportedAccount]) -> list[AccountImport]:
        return await self._transact(lambda connection: imports.import_accounts(connection, accounts))

    async def user_by_key(self, key: str) -> User | None:
        return await self._read_row(lambda connection: accounts_sql.user_by_key(connection, key))

    async def login_record(self, key: str, address: str) -> LoginRecord:
        return await self._read_row(
            lambda connection: accounts_sql.read_login_record(connection, key, address)
        )

    async def token_status(self, token: Token) -> TokenStatus | None:
        return await self._read_row(lambda connection: sessions_sql.read_token_status(connection, token))

    async def ended_tokens(self, tokens: Sequence[Token]) -> list[Token]:
        return await self._row_reader.submit(
            lambda connection: sessions_sql.find_ended_tokens(connection, tokens)
        )

    async def version(self) -> int:
        return await self._row_reader.submit(meta.read_version)

    async def set_password(self, user: User, password: str, at: ClockReading) -> bool:
        return await self._transact(
            lambda connection: accounts_sql.set_password(connection, user, password, at)
        )

    async def renew_hash(self, user: User, password: str) -> None:
        await self._transact(lambda connection: accounts_sql.renew_hash(connection, user, password))

    async def delete_user(self, user: User, at: ClockReading) -> bool:
        return await self._transact(lambda connection: accounts_sql.delete_user(connection, user, at))

    async def totals(self) -> Totals:
        return await self._list_reader.submit(lambda connection: read_totals(connection, self.path))

    async def accounts(self, after: int, limit: int) -> list[AccountRecord]:
        return await self._list_reader.submit(
            lambda connection: accounts_sql.read_accounts(connection, after, limit)
        )

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
