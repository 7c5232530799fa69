"""The store in one SQLite file: write-ahead log, one writer connection, readers on their own."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

import aiosqlite

from shared.clock import Reading
from shared.errors import FilesChanged, Unavailable
from shared.models import (
    Change,
    ChangePage,
    Operation,
    StoredTask,
    TaskPage,
    TaskQuery,
    User,
    Write,
    Written,
)
from shared.store import CommitListener, LoginRecord, Position, SigningKey, Tail, TokenStatus
from shared.store.sqlite import accounts as accounts_sql
from shared.store.sqlite import lists, meta
from shared.store.sqlite import log as change_log
from shared.store.sqlite import sessions as sessions_sql
from shared.store.sqlite import tasks as tasks_sql
from shared.store.sqlite.database_path import DatabasePath
from shared.store.sqlite.lanes import HereLane, Lane, Outcome, read_group
from shared.store.sqlite.list_cache import ListCache
from shared.store.sqlite.open_files import OpenFiles
from shared.store.sqlite.readiness import Readiness
from shared.store.sqlite.unit_of_work import BatchRequest, WriteRequest, Writes
from shared.store.sqlite.writer import GroupCommit
from shared.tokens import Token

T = TypeVar("T")

_LOOK_SECONDS: Final = 1.0


class SqliteStore:
    """See ``shared.store.Store``."""

    epoch: str

    def __init__(
        self,
        path: DatabasePath,
        writer: aiosqlite.Connection,
        points: aiosqlite.Connection,
        scans: aiosqlite.Connection,
        here: HereLane,
        group_commit: GroupCommit,
    ) -> None:
        self._writer = Lane(
            writer,
            group_commit.run,
            group_commit.begin_here,
            self._committed,
            group_commit.when_quiet,
            reunite=True,
        )
        self._points = Lane(points, read_group)  # single rows: never behind a long list
        self._scans = Lane(scans, read_group)
        self._here = here
        self._list_cache = ListCache()
        self._path = path
        self._readiness = Readiness(path.real.parent, self._points, self._writer, group_commit)
        self.lanes = (self._writer, self._points, self._scans)
        self._listeners: list[CommitListener] = []

    def listen(self, listener: CommitListener) -> None:
        self._listeners.append(listener)

    def beside(self, suffix: str) -> Path:
        return self._path.beside(suffix)

    async def watch(self, files: OpenFiles) -> None:
        """Look at the files every second until cancelled; to be run as one supervised task.

        Raises:
            FilesChanged: they are not those that are open.
        """
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                files.look()
            except FilesChanged:
                raise
            except Unavailable:  # the next look tells
                pass

    def close(self) -> None:
        """Refuse new work, and let the lanes end with what they have."""
        for lane in self.lanes:
            lane.close()

    def _committed(self, outcomes: list[Outcome]) -> None:
        changes: list[Change] = []
        others = False
        for outcome in outcomes:
            if isinstance(outcome, FilesChanged):
                raise outcome
            if isinstance(outcome, Written):
                if outcome.change is not None:
                    changes.append(outcome.change)
            elif isinstance(outcome, Writes):
                changes += [written.change for written in outcome if written.change is not None]
            elif not isinstance(outcome, BaseException):
                others = True
        if changes or others:
            for listener in self._listeners:
                listener(changes, others)

    async def read_epoch(self) -> str:
        return await self._points.run(meta.read_epoch)

    async def ping(self) -> None:
        await self._readiness.check()

    def write(
        self, user_id: int, operation: Write, *, now: int, max_tasks: int, origin: int | None = None
    ) -> Awaitable[Written]:
        return self._writer.run(WriteRequest(user_id, now, max_tasks, origin, operation))

    def write_all(
        self, user_id: int, operations: Sequence[Operation], *, now: int, max_tasks: int
    ) -> Awaitable[list[Written]]:
        return self._writer.run(BatchRequest(user_id, now, max_tasks, operations))

    def task(self, user_id: int, uuid: str) -> Awaitable[StoredTask]:
        return self._read_row(lambda connection: tasks_sql.read_task(connection, user_id, uuid))

    async def _read_row(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """On the event loop, or, when the database is not free at this moment, on a thread that can wait for it."""
        try:
            return await self._here.run(read)
        except Unavailable:
            return await self._points.run(read)

    async def tasks(self, user_id: int, query: TaskQuery) -> TaskPage:
        page = await self._read_row(
            lambda connection: lists.read_short_list(connection, self._list_cache, user_id, query)
        )
        if page is None:
            page = await self._scans.run(lambda connection: lists.read_list(connection, user_id, query))
        return page

    async def seq(self, user_id: int) -> int:
        return await self._read_row(lambda connection: tasks_sql.read_feed(connection, user_id).seq)

    async def changes(self, user_id: int, epoch: str, since: int, limit: int) -> ChangePage:
        return await self._scans.run(
            lambda connection: change_log.read_changes(connection, user_id, epoch == self.epoch, since, limit)
        )

    async def position(self) -> Position:
        return await self._points.run(change_log.read_position)

    async def tail(self, after: Position) -> Tail:
        return await self._points.run(lambda connection: change_log.read_tail(connection, after))

    async def signing_key(self) -> SigningKey:
        return await self._points.run(meta.read_signing_key)

    async def set_signing_key(self, fingerprint: str) -> None:
        await self._writer.run(lambda unit: meta.write_signing_key(unit.connection, fingerprint))

    async def add_user(self, username: str, key: str, password: str, now: int) -> User:
        return await self._writer.run(
            lambda unit: accounts_sql.add_user(unit.connection, username, key, password, now)
        )

    async def user_by_key(self, key: str) -> User | None:
        return await self._read_row(lambda connection: accounts_sql.user_by_key(connection, key))

    async def login_record(self, key: str, address: str) -> LoginRecord:
        return await self._read_row(
            lambda connection: accounts_sql.read_login_record(connection, key, address)
        )

    async def token_status(self, token: Token) -> TokenStatus | None:
        return await self._read_row(lambda connection: sessions_sql.read_token_status(connection, token))

    async def ended_tokens(self, tokens: Sequence[Token]) -> list[Token]:
        return await self._points.run(lambda connection: sessions_sql.find_ended_tokens(connection, tokens))

    async def version(self) -> int:
        return await self._points.run(meta.read_version)

    async def set_password(self, user: User, password: str, at: Reading) -> bool:
        return await self._writer.run(
            lambda unit: accounts_sql.set_password(unit.connection, user, password, at)
        )

    async def renew_hash(self, user: User, password: str) -> None:
        await self._writer.run(lambda unit: accounts_sql.renew_hash(unit.connection, user, password))

    async def delete_user(self, user: User, at: Reading) -> bool:
        return await self._writer.run(lambda unit: accounts_sql.delete_user(unit.connection, user, at))

    async def add_session(
        self, sid: str, user: User, expires: int, address: str, at: Reading, patience: int
    ) -> None:
        await self._writer.run(
            lambda unit: sessions_sql.add_session(unit.connection, sid, user, expires, address, at, patience)
        )

    async def extend_session(self, sid: str, expires: int) -> bool:
        return await self._writer.run(lambda unit: sessions_sql.extend_session(unit.connection, sid, expires))

    async def exchange_token(
        self, token: Token, new_sid: str, expires: int, at: Reading, grace: int, patience: int
    ) -> str | None:
        return await self._writer.run(
            lambda unit: sessions_sql.exchange_token(
                unit.connection, token, new_sid, expires, at, grace, patience
            )
        )

    async def end_family(self, token: Token, new_sid: str, at: Reading) -> None:
        await self._writer.run(lambda unit: sessions_sql.end_family(unit.connection, token, new_sid, at))
