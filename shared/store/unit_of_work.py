"""The writes of one transaction: decided one after the other, written together.

Statements cost more than rows. So an operation looks things up, here first and then in the database,
and what it decides is kept; at the end of the transaction all rows go into the tables, many with one
statement. An operation that refuses has decided nothing.
"""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Final

import msgspec

from shared.clock import timestamp, uuid7
from shared.errors import Conflict, LimitReached, NotFound, TaskbeamError, ValidationFailed
from shared.models import (
    Change,
    CreateTask,
    DeleteTask,
    Mode,
    Operation,
    Refused,
    StoredTask,
    Task,
    UpdateTask,
    Written,
)
from shared.store.change_log import MARK_EVERY, mark, read_position
from shared.store.tasks_sql import Feed, read_feed

_ROWS_AT_ONCE: Final = (64, 32, 16, 8, 4, 2, 1)  # few sizes, so that their statements stay prepared

_encode = msgspec.json.Encoder().encode


class _Row(msgspec.Struct, frozen=True):
    """A row of ``tasks``; ``id`` is ``None`` for one that is to be inserted."""

    id: int | None
    user_id: int
    created: int
    task: StoredTask


class WriteRequest(msgspec.Struct, frozen=True):
    """One user's operations, to be done all or none. ``now`` is in microseconds since the Unix epoch."""

    user_id: int
    operations: Sequence[Operation]
    now: int
    max_tasks: int
    origin: int | None

    def __call__(self, unit: UnitOfWork) -> Writes:
        return unit.do(self)


class Writes(msgspec.Struct, frozen=True):
    """The outcome of a write of tasks, as opposed to one of accounts."""

    written: list[Written]


class UnitOfWork:
    """What one transaction writes; to be used between BEGIN and COMMIT, by one thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._begin()

    def _begin(self) -> None:
        self._first: int | None = None  # the position of the first change
        self._feeds: dict[int, Feed] = {}
        self._stored: dict[str, _Row | None] = {}  # as they are in the table
        self._rows: dict[str, _Row | None] = {}  # as they shall be
        self._log: list[tuple[Change, int]] = []  # each with the position of the user's change before

    @property
    def connection(self) -> sqlite3.Connection:
        """For whoever works on the rows themselves: all that was decided before is in them."""
        self.flush()
        return self._connection

    def flush(self) -> None:
        """Write what was decided."""
        if self._log:
            self._write_tasks()
            self._write_log()
            self._write_feeds()
        self._begin()

    # Deciding

    def look_up(self, requests: Sequence[WriteRequest]) -> None:
        """Read with one statement what requests will ask for."""
        feeds = self._connection.execute(
            "SELECT user_id, seq, tasks, last FROM json_each(?) JOIN feeds ON user_id = value",
            (_encode({request.user_id for request in requests}).decode(),),
        ).fetchall()
        for user_id, seq, tasks, last in feeds:
            self._feeds[user_id] = Feed(seq, tasks, last)
        uuids = {
            operation.uuid
            for request in requests
            for operation in request.operations
            if isinstance(operation, (UpdateTask, DeleteTask))
        }
        if uuids:
            self._stored = dict.fromkeys(uuids)
            self._read_rows(
                "json_each(?) AS wanted JOIN tasks ON uuid = wanted.value", _encode(uuids).decode()
            )

    def do(self, request: WriteRequest) -> Writes:
        """Raises NotFound, Conflict, LimitReached, ValidationFailed, UserGone; of several operations with
        ``op``, the index, among the error's extras."""
        if len(request.operations) == 1:
            return Writes([self._do(request, request.operations[0])])
        feeds, rows, logged = self._feeds.copy(), self._rows.copy(), len(self._log)
        written = []
        for index, operation in enumerate(request.operations):
            try:
                written.append(self._do(request, operation))
            except TaskbeamError as refusal:
                self._feeds, self._rows = feeds, rows
                del self._log[logged:]
                if isinstance(refusal, Conflict) and isinstance(operation, (UpdateTask, DeleteTask)):
                    row = self._row(operation.uuid)  # what the batch made of the task never existed
                    refusal.extra["task"] = None if row is None else row.task.decode()
                refusal.extra["op"] = index
                raise
        return Writes(written)

    def _do(self, request: WriteRequest, operation: Operation) -> Written:
        match operation:
            case CreateTask():
                return self._create(request, operation)
            case UpdateTask():
                return self._update(request, operation)
            case DeleteTask():
                return self._delete(request, operation)
            case Refused():
                raise operation.error

    def _create(self, request: WriteRequest, operation: CreateTask) -> Written:
        uuid = operation.uuid
        if uuid is None:
            uuid = uuid7(request.now)
        elif (row := self._row(uuid)) is not None:
            if row.user_id != request.user_id:
                raise ValidationFailed({"uuid": ["This field must be unique."]})
            return Written(row.task, None)
        if self._feed(request.user_id).tasks >= request.max_tasks:
            raise LimitReached(request.max_tasks)
        time = timestamp(request.now)
        task = StoredTask(
            uuid,
            _encode(
                Task(
                    uuid,
                    request.user_id,
                    time,
                    time,
                    operation.task,
                    operation.description,
                    operation.completed,
                    rev=1,
                )
            ),
        )
        self._rows.pop(uuid, None)  # deleted just now: the new one comes after those made before it
        self._rows[uuid] = _Row(None, request.user_id, request.now, task)
        return Written(task, self._change(request, "create", task, added=1))

    def _update(self, request: WriteRequest, operation: UpdateTask) -> Written:
        row, old = self._expected(request, operation)
        new = Task(
            old.uuid,
            old.user_id,
            old.time_created,
            max(timestamp(request.now), old.time_modified),  # a clock set back must not turn the order around
            old.task if operation.task is None else operation.task,
            old.description if operation.description is None else operation.description,
            old.completed if operation.completed is None else operation.completed,
            old.rev + 1,
        )
        task = StoredTask(old.uuid, _encode(new))
        self._rows[task.uuid] = _Row(row.id, row.user_id, row.created, task)
        return Written(task, self._change(request, "update", task))

    def _delete(self, request: WriteRequest, operation: DeleteTask) -> Written:
        row, _ = self._expected(request, operation)
        self._rows[row.task.uuid] = None
        return Written(row.task, self._change(request, "delete", row.task, added=-1))

    def _expected(self, request: WriteRequest, operation: UpdateTask | DeleteTask) -> tuple[_Row, Task]:
        row = self._row(operation.uuid)
        if row is None or row.user_id != request.user_id:
            raise NotFound
        task = row.task.decode()
        if operation.rev is not None and operation.rev != task.rev:
            raise Conflict(task)
        return row, task

    def _change(self, request: WriteRequest, mode: Mode, task: StoredTask, added: int = 0) -> Change:
        feed = self._feed(request.user_id)
        change = Change(
            self._next_position(),
            request.user_id,
            feed.seq + 1,
            mode,
            task.uuid,
            None if mode == "delete" else task.json,
            request.origin,
        )
        self._feeds[request.user_id] = Feed(change.seq, feed.tasks + added, change.position)
        self._log.append((change, feed.last))
        return change

    def _next_position(self) -> int:
        if self._first is None:
            self._first = read_position(self._connection).changes + 1
        return self._first + len(self._log)

    def _feed(self, user_id: int) -> Feed:
        feed = self._feeds.get(user_id)
        if feed is None:
            feed = self._feeds[user_id] = read_feed(self._connection, user_id)
        return feed

    def _row(self, uuid: str) -> _Row | None:
        if uuid in self._rows:
            return self._rows[uuid]
        if uuid not in self._stored:
            self._stored[uuid] = None
            self._read_rows("tasks WHERE uuid = ?", uuid)
        return self._stored[uuid]

    def _read_rows(self, source: str, parameter: str) -> None:
        rows = self._connection.execute(
            f"SELECT tasks.id, uuid, user_id, created, tasks.json FROM {source}", (parameter,)
        ).fetchall()
        for number, uuid, user_id, created, json in rows:
            self._stored[uuid] = _Row(number, user_id, created, StoredTask(uuid, json))

    # Writing

    def _write_feeds(self) -> None:
        changed = {change.user_id for change, _ in self._log}
        self._insert(
            "feeds",
            ("user_id", "seq", "tasks", "last"),
            [(user_id, *self._feeds[user_id]) for user_id in changed],
            " ON CONFLICT (user_id) DO UPDATE SET seq = excluded.seq, tasks = excluded.tasks, last = excluded.last",
        )

    def _write_tasks(self) -> None:
        deleted, updated, inserted = [], [], []
        for uuid, row in self._rows.items():
            stored = self._stored.get(uuid)
            if stored is not None and (row is None or row.id is None):
                deleted.append((stored.id,))
            if row is None:
                continue
            if row.id is None:
                inserted.append((uuid, row.user_id, row.created, row.task.json))
            else:
                updated.append((row.task.json, row.id))
        if deleted:
            self._connection.executemany("DELETE FROM tasks WHERE id = ?", deleted)
        if inserted:
            self._insert("tasks", ("uuid", "user_id", "created", "json"), inserted)
        if updated:
            self._connection.executemany("UPDATE tasks SET json = ? WHERE id = ?", updated)

    def _write_log(self) -> None:
        self._insert(
            "changes",
            ("position", "user_id", "seq", "previous", "mode", "task_id", "task", "origin"),
            [
                (
                    change.position,
                    change.user_id,
                    change.seq,
                    previous,
                    change.mode,
                    change.task_id,
                    change.task,
                    change.origin,
                )
                for change, previous in self._log
            ],
        )
        for change, _ in self._log:
            if change.seq % MARK_EVERY == 0:
                mark(self._connection, change)

    def _insert(
        self, table: str, columns: tuple[str, ...], rows: Sequence[tuple[object, ...]], or_else: str = ""
    ) -> None:
        start = 0
        for size in _ROWS_AT_ONCE:
            while len(rows) - start >= size:
                values = list(chain.from_iterable(rows[start : start + size]))
                self._connection.execute(_insert_statement(table, columns, size, or_else), values)
                start += size


@functools.cache
def _insert_statement(table: str, columns: tuple[str, ...], rows: int, or_else: str) -> str:
    row = f"({', '.join('?' * len(columns))})"
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([row] * rows)}{or_else}"
