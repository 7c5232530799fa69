"""The store in one SQLite file: write-ahead log, one writer connection, readers on their own."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import aiosqlite
import msgspec

from shared.clock import timestamp, uuid7
from shared.errors import (
    Conflict,
    LimitReached,
    NotFound,
    TaskbeamError,
    Unavailable,
    UserGone,
    ValidationFailed,
)
from shared.models import (
    USERNAME_TAKEN,
    Change,
    ChangePage,
    CreateTask,
    DeleteTask,
    Mode,
    Operation,
    Refused,
    Task,
    TaskPage,
    TaskQuery,
    UpdateTask,
    User,
    Written,
)
from shared.store import CommitListener, Position, Revocation, Standing, Tail
from shared.store.lanes import BUSY_TIMEOUT_MS, GroupCommit, Lane, Outcome, WriteLock, on_thread, read_group
from shared.store.migrate import migrate

T = TypeVar("T")

HISTORY: Final = 10_000  # changes kept for each user, at least
_PRUNE_EVERY: Final = 100  # and at most this many more
_TAIL_PAGE: Final = 1000
_REVOCATIONS_KEPT_SECONDS: Final = 3600
_MINIMUM_VERSION: Final = (3, 37, 0)  # STRICT tables, RETURNING

_TASK = "uuid, user_id, time_created, time_modified, task, description, completed, rev"
_CHANGE = "position, user_id, seq, mode, task_id, task, origin"
_USER = "id, username, password, is_active, date_joined"

_encode = msgspec.json.Encoder().encode
log = logging.getLogger(__name__)


def has_wal_reset_race(version: tuple[int, int, int]) -> bool:
    """SQLite 3.7.0 to 3.51.2, less the releases that the fix was carried back to (sqlite.org/wal.html)."""
    if version[:2] == (3, 50):
        return version < (3, 50, 7)
    if version[:2] == (3, 44):
        return version < (3, 44, 6)
    return (3, 7, 0) <= version < (3, 51, 3)


@asynccontextmanager
async def open_sqlite(path: Path) -> AsyncIterator[SqliteStore]:
    """Open or make the file, bring its schema up to date, and serve it until the body ends.

    Raises:
        Unavailable: the file cannot be opened, is no database of ours, or is of a newer version.
    """
    if sqlite3.sqlite_version_info < _MINIMUM_VERSION:
        raise Unavailable(f"SQLite {sqlite3.sqlite_version} is too old, 3.37 or newer is needed")
    if has_wal_reset_race(sqlite3.sqlite_version_info):
        log.warning(
            "SQLite %s has the WAL-reset race (fixed in 3.51.3): Taskbeam's write lock keeps it away, "
            "but do not let other programs write to the database while it runs",
            sqlite3.sqlite_version,
        )
    try:
        _make_private_file(path)
        lock = WriteLock(path.with_name(path.name + "-lock"))
    except OSError as error:
        raise Unavailable(f"cannot open {path}: {error.strerror}") from error
    async with AsyncExitStack() as stack:
        stack.callback(lock.close)
        writer = await _connect(stack, path, lambda connection: _prepare_writer(connection, lock))
        points, scans = [await _connect(stack, path, _prepare_reader) for _ in range(2)]
        store = SqliteStore(writer, points, scans, GroupCommit(lock, path.with_name(path.name + "-wal")))
        async with asyncio.TaskGroup() as tasks:
            for lane in store.lanes:
                tasks.create_task(lane.serve())
            try:
                store.epoch = await store.read_epoch()
                yield store
            finally:
                for lane in store.lanes:
                    lane.close()


async def _connect(
    stack: AsyncExitStack, path: Path, prepare: Callable[[sqlite3.Connection], None]
) -> aiosqlite.Connection:
    try:
        connection = await stack.enter_async_context(
            aiosqlite.connect(path, isolation_level=None, cached_statements=256, check_same_thread=False)
        )
        await on_thread(connection, prepare)
    except sqlite3.Error as error:
        raise Unavailable(f"cannot open {path}: {error}") from error
    return connection


def _make_private_file(path: Path) -> None:
    """Folders 0700 and the file 0600; SQLite gives its side files the mode of the file."""
    for folder in reversed(path.absolute().parents):
        if not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _prepare_writer(connection: sqlite3.Connection, lock: WriteLock) -> None:
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    with lock.held(timeout=30):  # another process may be in a long migration
        connection.execute("PRAGMA journal_mode = WAL")
        _set_pragmas(connection)
        migrate(connection)


def _prepare_reader(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    _set_pragmas(connection)
    connection.execute("PRAGMA query_only = ON")
    connection.create_function("casefold", 1, str.casefold, deterministic=True)


def _set_pragmas(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA synchronous = FULL")  # an acknowledged write survives a power loss
    connection.execute("PRAGMA wal_autocheckpoint = 0")  # see WriteLock
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA cache_size = -16000")


class SqliteStore:
    """See ``shared.store.Store``."""

    epoch: str

    def __init__(
        self,
        writer: aiosqlite.Connection,
        points: aiosqlite.Connection,
        scans: aiosqlite.Connection,
        group_commit: GroupCommit,
    ) -> None:
        self._writer = Lane(writer, group_commit, self._committed, group_commit.checkpoint_when_quiet)
        self._points = Lane(points, read_group)  # single rows: never behind a long list
        self._scans = Lane(scans, read_group)
        self.lanes = (self._writer, self._points, self._scans)
        self._listeners: list[CommitListener] = []

    def listen(self, listener: CommitListener) -> None:
        self._listeners.append(listener)

    def _committed(self, outcomes: list[Outcome]) -> None:
        changes: list[Change] = []
        others = False
        for outcome in outcomes:
            if isinstance(outcome, _Writes):
                changes.extend(written.change for written in outcome.written if written.change is not None)
            elif not isinstance(outcome, BaseException):
                others = True
        if changes or others:
            for listener in self._listeners:
                listener(changes, others)

    async def read_epoch(self) -> str:
        rows = await self._points.run(_rows("SELECT value FROM meta WHERE key = 'epoch'"))
        epoch: str = rows[0][0]
        return epoch

    async def ping(self) -> None:
        await self._points.run(_rows("SELECT 1"))

    async def write(
        self,
        user_id: int,
        operations: Sequence[Operation],
        *,
        now: int,
        max_tasks: int,
        origin: int | None = None,
    ) -> list[Written]:
        transaction = _Transaction(user_id, now, max_tasks, origin)
        if len(operations) == 1:
            outcome = await self._writer.run(
                lambda connection: transaction.run_one(connection, operations[0])
            )
        else:
            outcome = await self._writer.run(lambda connection: transaction.run_all(connection, operations))
        return outcome.written

    async def task(self, user_id: int, uuid: str) -> Task:
        return await self._points.run(lambda connection: _task(connection, user_id, uuid))

    async def tasks(self, user_id: int, query: TaskQuery) -> TaskPage:
        return await self._scans.run(lambda connection: _tasks(connection, user_id, query))

    async def seq(self, user_id: int) -> int:
        return await self._points.run(lambda connection: _seq(connection, user_id))

    async def changes(self, user_id: int, epoch: str, since: int, limit: int) -> ChangePage:
        return await self._scans.run(
            lambda connection: _changes(connection, user_id, epoch == self.epoch, since, limit)
        )

    async def position(self) -> Position:
        return await self._points.run(_position)

    async def tail(self, after: Position) -> Tail:
        return await self._points.run(lambda connection: _tail(connection, after))

    async def add_user(self, username: str, key: str, password: str, now: int) -> User:
        return await self._writer.run(lambda connection: _add_user(connection, username, key, password, now))

    async def user_by_key(self, key: str) -> User | None:
        rows = await self._points.run(_rows(f"SELECT {_USER} FROM users WHERE username_key = ?", key))
        return _user(rows[0]) if rows else None

    async def standing(self, user_id: int, sid: str | None, issued: int) -> Standing | None:
        return await self._points.run(lambda connection: _standing(connection, user_id, sid, issued))

    async def set_password(self, user_id: int, password: str, now: int) -> None:
        await self._writer.run(lambda connection: _set_password(connection, user_id, password, now))

    async def delete_user(self, user_id: int, now: int) -> None:
        await self._writer.run(lambda connection: _delete_user(connection, user_id, now))

    async def add_session(self, sid: str, user: User, expires: int, now: int) -> None:
        await self._writer.run(lambda connection: _add_session(connection, sid, user, expires, now))

    async def rotate_session(self, sid: str, jti: str, expires: int, now: int, grace: int) -> bool:
        return await self._writer.run(
            lambda connection: _rotate_session(connection, sid, jti, expires, now, grace)
        )

    async def revoke_session(self, sid: str, now: int) -> None:
        await self._writer.run(lambda connection: _revoke_session(connection, sid, now))


class _Writes(msgspec.Struct, frozen=True):
    """The outcome of a write of tasks, as opposed to one of accounts."""

    written: list[Written]


class _Transaction(msgspec.Struct, frozen=True):
    """One user's operations. Each operation looks before it writes, so that one that refuses has written nothing."""

    user_id: int
    now: int
    max_tasks: int
    origin: int | None

    def run_one(self, connection: sqlite3.Connection, operation: Operation) -> _Writes:
        return _Writes([self._do(connection, operation)])

    def run_all(self, connection: sqlite3.Connection, operations: Sequence[Operation]) -> _Writes:
        written = []
        connection.execute("SAVEPOINT batch")
        for index, operation in enumerate(operations):
            try:
                written.append(self._do(connection, operation))
            except TaskbeamError as refusal:
                connection.execute("ROLLBACK TO batch")
                connection.execute("RELEASE batch")
                if isinstance(refusal, Conflict):  # what the batch made of the task never existed
                    refusal.extra["task"] = _stored(connection, self.user_id, refusal.extra["task"])
                refusal.extra["op"] = index
                raise
        connection.execute("RELEASE batch")
        return _Writes(written)

    def _do(self, connection: sqlite3.Connection, operation: Operation) -> Written:
        match operation:
            case CreateTask():
                return self._create(connection, operation)
            case UpdateTask():
                return self._update(connection, operation)
            case DeleteTask():
                return self._delete(connection, operation)
            case Refused():
                raise operation.error

    def _create(self, connection: sqlite3.Connection, operation: CreateTask) -> Written:
        uuid = operation.uuid
        if uuid is None:
            uuid = uuid7(self.now)
        elif rows := connection.execute(f"SELECT {_TASK} FROM tasks WHERE uuid = ?", (uuid,)).fetchall():
            task = _to_task(rows[0])
            if task.user_id != self.user_id:
                raise ValidationFailed({"uuid": ["This field must be unique."]})
            return Written(task, None)
        rows = connection.execute(
            "UPDATE feeds SET seq = seq + 1, tasks = tasks + 1 WHERE user_id = ? AND tasks < ? RETURNING seq",
            (self.user_id, self.max_tasks),
        ).fetchall()
        if not rows:
            _seq(connection, self.user_id)  # raises UserGone
            raise LimitReached(self.max_tasks)
        time = timestamp(self.now)
        task = Task(
            uuid, self.user_id, time, time, operation.task, operation.description, operation.completed, rev=1
        )
        connection.execute(
            f"INSERT INTO tasks ({_TASK}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", msgspec.structs.astuple(task)
        )
        return Written(task, self._log(connection, rows[0][0], "create", task))

    def _update(self, connection: sqlite3.Connection, operation: UpdateTask) -> Written:
        old = _expected(_task(connection, self.user_id, operation.uuid), operation.rev)
        task = Task(
            old.uuid,
            old.user_id,
            old.time_created,
            max(timestamp(self.now), old.time_modified),  # a clock set back must not turn the order around
            old.task if operation.task is None else operation.task,
            old.description if operation.description is None else operation.description,
            old.completed if operation.completed is None else operation.completed,
            old.rev + 1,
        )
        connection.execute(
            "UPDATE tasks SET time_modified = ?, task = ?, description = ?, completed = ?, rev = ? WHERE uuid = ?",
            (task.time_modified, task.task, task.description, task.completed, task.rev, task.uuid),
        )
        return Written(task, self._log(connection, self._next_seq(connection, removed=0), "update", task))

    def _delete(self, connection: sqlite3.Connection, operation: DeleteTask) -> Written:
        task = _expected(_task(connection, self.user_id, operation.uuid), operation.rev)
        connection.execute("DELETE FROM tasks WHERE uuid = ?", (task.uuid,))
        return Written(task, self._log(connection, self._next_seq(connection, removed=1), "delete", task))

    def _next_seq(self, connection: sqlite3.Connection, removed: int) -> int:
        rows = connection.execute(
            "UPDATE feeds SET seq = seq + 1, tasks = tasks - ? WHERE user_id = ? RETURNING seq",
            (removed, self.user_id),
        ).fetchall()
        seq: int = rows[0][0]
        return seq

    def _log(self, connection: sqlite3.Connection, seq: int, mode: Mode, task: Task) -> Change:
        encoded = None if mode == "delete" else _encode(task)
        cursor = connection.execute(
            "INSERT INTO changes (user_id, seq, mode, task_id, task, origin) VALUES (?, ?, ?, ?, ?, ?)",
            (self.user_id, seq, mode, task.uuid, encoded, self.origin),
        )
        if seq % _PRUNE_EVERY == 0 and seq > HISTORY:
            connection.execute(
                "DELETE FROM changes WHERE user_id = ? AND seq <= ?", (self.user_id, seq - HISTORY)
            )
        position = cursor.lastrowid
        assert position is not None
        return Change(
            position,
            self.user_id,
            seq,
            mode,
            task.uuid,
            None if encoded is None else msgspec.Raw(encoded),
            self.origin,
        )


def _stored(connection: sqlite3.Connection, user_id: int, task: object) -> Task | None:
    assert isinstance(task, Task)
    try:
        return _task(connection, user_id, task.uuid)
    except NotFound:
        return None


def _expected(task: Task, rev: int | None) -> Task:
    if rev is not None and rev != task.rev:
        raise Conflict(task)
    return task


def _rows(sql: str, *parameters: object) -> Callable[[sqlite3.Connection], list[Any]]:
    return lambda connection: connection.execute(sql, parameters).fetchall()


def _to_task(row: Sequence[Any]) -> Task:
    uuid, user_id, created, modified, task, description, completed, rev = row
    return Task(uuid, user_id, created, modified, task, description, bool(completed), rev)


def _to_change(row: Sequence[Any]) -> Change:
    position, user_id, seq, mode, task_id, task, origin = row
    return Change(position, user_id, seq, mode, task_id, None if task is None else msgspec.Raw(task), origin)


def _user(row: Sequence[Any]) -> User:
    user_id, username, password, is_active, date_joined = row[:5]
    return User(user_id, username, password, bool(is_active), date_joined)


def _task(connection: sqlite3.Connection, user_id: int, uuid: str) -> Task:
    rows = connection.execute(f"SELECT {_TASK} FROM tasks WHERE uuid = ?", (uuid,)).fetchall()
    if not rows or rows[0][1] != user_id:
        raise NotFound
    return _to_task(rows[0])


def _tasks(connection: sqlite3.Connection, user_id: int, query: TaskQuery) -> TaskPage:
    seq = _seq(connection, user_id)
    where, parameters = "user_id = ?", [user_id]
    conditions: list[Any] = parameters
    if query.completed is not None:
        where += " AND completed = ?"
        conditions.append(query.completed)
    for term in query.search:
        where += " AND (instr(casefold(task), ?) OR instr(casefold(description), ?))"
        conditions += [term, term]
    order = ", ".join(f"{name} {'DESC' if descends else 'ASC'}" for name, descends in query.ordering)
    order += ", id DESC" if query.ordering[0][1] else ", id ASC"
    limit = -1 if query.limit is None else query.limit
    rows = connection.execute(
        f"SELECT {_TASK} FROM tasks WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?",
        (*conditions, limit, query.offset),
    ).fetchall()
    if query.limit is None and not query.offset:
        count = len(rows)
    else:
        count = connection.execute(f"SELECT count(*) FROM tasks WHERE {where}", conditions).fetchall()[0][0]
    return TaskPage([_to_task(row) for row in rows], count, seq)


def _seq(connection: sqlite3.Connection, user_id: int) -> int:
    rows = connection.execute("SELECT seq FROM feeds WHERE user_id = ?", (user_id,)).fetchall()
    if not rows:
        raise UserGone
    seq: int = rows[0][0]
    return seq


def _changes(
    connection: sqlite3.Connection, user_id: int, same_epoch: bool, since: int, limit: int
) -> ChangePage:
    seq = _seq(connection, user_id)
    if not same_epoch:
        return ChangePage([], seq, more=False, reason="epoch_changed")
    if since > seq:
        return ChangePage([], seq, more=False, reason="seq_unknown")
    rows = connection.execute(
        f"SELECT {_CHANGE} FROM changes WHERE user_id = ? AND seq > ? ORDER BY seq LIMIT ?",
        (user_id, since, limit),
    ).fetchall()
    changes = [_to_change(row) for row in rows]
    if since < seq and (not changes or changes[0].seq != since + 1):
        return ChangePage([], seq, more=False, reason="history_gone")
    last = changes[-1].seq if changes else since
    return ChangePage(changes, last, more=last < seq)


def _position(connection: sqlite3.Connection) -> Position:
    changes, revocations = (
        # sqlite_sequence, not the newest row: that one may have been deleted with its user.
        connection.execute(
            "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = ?", (table,)
        ).fetchall()
        for table in ("changes", "revocations")
    )
    return Position(changes[0][0], revocations[0][0])


def _tail(connection: sqlite3.Connection, after: Position) -> Tail:
    changes = [
        _to_change(row)
        for row in connection.execute(
            f"SELECT {_CHANGE} FROM changes WHERE position > ? ORDER BY position LIMIT ?",
            (after.changes, _TAIL_PAGE),
        ).fetchall()
    ]
    revocations = connection.execute(
        "SELECT position, user_id, sid FROM revocations WHERE position > ? ORDER BY position LIMIT ?",
        (after.revocations, _TAIL_PAGE),
    ).fetchall()
    position = Position(
        changes[-1].position if changes else after.changes,
        revocations[-1][0] if revocations else after.revocations,
    )
    more = len(changes) == _TAIL_PAGE or len(revocations) == _TAIL_PAGE
    return Tail(changes, [Revocation(user_id, sid) for _, user_id, sid in revocations], position, more)


def _add_user(connection: sqlite3.Connection, username: str, key: str, password: str, now: int) -> User:
    if connection.execute("SELECT 1 FROM users WHERE username_key = ?", (key,)).fetchall():
        raise ValidationFailed({"username": [USERNAME_TAKEN]})
    rows = connection.execute(
        "INSERT INTO users (username, username_key, password, date_joined) VALUES (?, ?, ?, ?) "
        f"RETURNING {_USER}",
        (username, key, password, timestamp(now)),
    ).fetchall()
    user = _user(rows[0])
    connection.execute("INSERT INTO feeds (user_id) VALUES (?)", (user.id,))
    return user


def _standing(connection: sqlite3.Connection, user_id: int, sid: str | None, issued: int) -> Standing | None:
    rows = connection.execute(
        "SELECT id, username, password, is_active, date_joined, revoked_until, feeds.seq "
        "FROM users JOIN feeds ON feeds.user_id = users.id WHERE id = ?",
        (user_id,),
    ).fetchall()
    if not rows:
        return None
    revoked_until, seq = rows[0][5:]
    if sid is None:
        revoked = issued <= revoked_until
    else:
        sessions = connection.execute(
            "SELECT 1 FROM sessions WHERE sid = ? AND user_id = ? AND revoked = 0", (sid, user_id)
        ).fetchall()
        revoked = not sessions
    return Standing(_user(rows[0]), revoked, seq)


def _set_password(connection: sqlite3.Connection, user_id: int, password: str, now: int) -> None:
    connection.execute(
        "UPDATE users SET password = ?, revoked_until = ? WHERE id = ?", (password, now // 1_000_000, user_id)
    )
    connection.execute("UPDATE sessions SET revoked = 1 WHERE user_id = ?", (user_id,))
    _announce_revocation(connection, user_id, None, now)


def _delete_user(connection: sqlite3.Connection, user_id: int, now: int) -> None:
    connection.execute("DELETE FROM changes WHERE user_id = ?", (user_id,))
    connection.execute("DELETE FROM users WHERE id = ?", (user_id,))  # tasks, feed and sessions go with it
    _announce_revocation(connection, user_id, None, now)


def _add_session(connection: sqlite3.Connection, sid: str, user: User, expires: int, now: int) -> None:
    if not connection.execute(
        "SELECT 1 FROM users WHERE id = ? AND password = ? AND is_active = 1", (user.id, user.password)
    ).fetchall():
        raise UserGone
    connection.execute("DELETE FROM sessions WHERE expires < ?", (now // 1_000_000,))
    connection.execute(
        "INSERT INTO sessions (sid, user_id, expires) VALUES (?, ?, ?)", (sid, user.id, expires)
    )


def _rotate_session(
    connection: sqlite3.Connection, sid: str, jti: str, expires: int, now: int, grace: int
) -> bool:
    seconds = now // 1_000_000
    if not connection.execute("SELECT 1 FROM sessions WHERE sid = ? AND revoked = 0", (sid,)).fetchall():
        return False
    rows = connection.execute("SELECT time FROM rotated_tokens WHERE jti = ?", (jti,)).fetchall()
    if rows and seconds > rows[0][0] + grace:
        _revoke_session(connection, sid, now)
        return False
    if not rows:
        connection.execute(
            "INSERT INTO rotated_tokens (jti, sid, time) VALUES (?, ?, ?)", (jti, sid, seconds)
        )
    connection.execute("UPDATE sessions SET expires = max(expires, ?) WHERE sid = ?", (expires, sid))
    return True


def _revoke_session(connection: sqlite3.Connection, sid: str, now: int) -> None:
    rows = connection.execute(
        "UPDATE sessions SET revoked = 1 WHERE sid = ? AND revoked = 0 RETURNING user_id", (sid,)
    ).fetchall()
    if rows:
        _announce_revocation(connection, rows[0][0], sid, now)


def _announce_revocation(connection: sqlite3.Connection, user_id: int, sid: str | None, now: int) -> None:
    seconds = now // 1_000_000
    connection.execute(
        "INSERT INTO revocations (user_id, sid, time) VALUES (?, ?, ?)", (user_id, sid, seconds)
    )
    connection.execute("DELETE FROM revocations WHERE time < ?", (seconds - _REVOCATIONS_KEPT_SECONDS,))
