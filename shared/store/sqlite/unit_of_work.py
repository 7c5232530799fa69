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
from msgspec.structs import astuple

from shared.clock import timestamp
from shared.errors import Conflict, LimitReached, NotFound, TaskbeamError, ValidationFailed
from shared.models import (
    Change,
    CreateTask,
    DeleteTask,
    Mode,
    Operation,
    Refused,
    StoredTask,
    UpdateTask,
    Write,
    Written,
)
from shared.store.sqlite.feeds import KnownFeeds
from shared.store.sqlite.log import ANCHOR_EVERY, add_anchor, read_position
from shared.store.sqlite.tasks import (
    Feed,
    ids_text,
    read_feed,
    read_row,
    read_rows,
    to_feed,
)
from shared.uuid7 import first_tick, tick_of, uuid7

PENDING_MAX: Final = 16  # of a user; at that many all of them are written into the index
_ROWS_AT_ONCE: Final = (64, 32, 16, 8, 4, 2, 1)  # few sizes, so that their statements stay prepared

_encode = msgspec.json.Encoder().encode


class _Row(msgspec.Struct, frozen=True, gc=False):
    """A row of ``tasks``, and whether its uuid is in ``client_uuids``."""

    id: int
    user_id: int
    task: StoredTask
    brought: bool


class _Request(msgspec.Struct, frozen=True):
    """``now`` is in microseconds since the Unix epoch."""

    user_id: int
    now: int
    max_tasks: int


class WriteRequest(_Request, frozen=True, gc=False):
    """One operation of a user."""

    write_id: int | None
    operation: Write

    def __call__(self, unit: UnitOfWork) -> Written:
        return unit.do(self, self.operation)


class BatchRequest(_Request, frozen=True):
    """A user's operations, to be done all or none; their answer is none of the changes.

    The garbage collector looks at it: a refused operation's error has the frames that it was raised through.
    """

    operations: Sequence[Operation]

    @property
    def write_id(self) -> None:
        return None

    def __call__(self, unit: UnitOfWork) -> Writes:
        return unit.do_all(self)


Request = WriteRequest | BatchRequest


class Writes(list[Written]):
    """What came of a batch, as opposed to any other list."""


class UnitOfWork:
    """What one transaction writes; to be used between BEGIN and COMMIT, by one thread.

    Args:
        known: shared by the connection's units of work; ``begin`` was called in this transaction.
    """

    def __init__(self, connection: sqlite3.Connection, known: KnownFeeds) -> None:
        self._connection = connection
        self._known = known
        self._begin()

    def _begin(self) -> None:
        self._first: int | None = None  # the position of the first change
        self._feeds: dict[int, Feed] = {}
        self._stored: dict[str, _Row | None] = {}  # as they are in the table
        self._rows: dict[str, _Row | None] = {}  # as they shall be
        self._log: list[tuple[Change, int]] = []  # each with the position of the user's change before
        self._settled: list[tuple[int, int]] = []  # users and what their feeds had too much of
        self._newest: int | None = None  # the highest id
        self._moments: dict[int, int] = {}  # the last moment given of each microsecond

    @property
    def connection(self) -> sqlite3.Connection:
        """For whoever works on the rows themselves: all that was decided before is in them."""
        self.flush()
        self._known.forget()
        return self._connection

    def flush(self) -> None:
        """Write what was decided."""
        if self._log:
            self._write_tasks()
            self._write_log()
            self._write_feeds()
            self._write_index()
            self._known.by_user.update(self._feeds)
        self._begin()

    # Deciding

    def look_up(self, requests: Sequence[Request]) -> None:
        """Read with few statements what requests will ask for."""
        users = {request.user_id for request in requests} - self._known.by_user.keys()
        if users:
            feeds = self._connection.execute(
                "SELECT user_id, seq, tasks, last, pending FROM json_each(?) JOIN feeds ON user_id = value",
                (ids_text(users),),
            ).fetchall()
            for user_id, *feed in feeds:
                self._feeds[user_id] = to_feed(*feed)
        moments: dict[str, int | None] = {}
        for request in requests:
            operations = (request.operation,) if isinstance(request, WriteRequest) else request.operations
            for operation in operations:
                if not isinstance(operation, Refused) and (uuid := operation.uuid) is not None:
                    moments[uuid] = tick_of(uuid)
        if moments:
            self._stored = dict.fromkeys(moments)
            for number, uuid, user_id, json in read_rows(self._connection, moments):
                self._stored[uuid] = _Row(number, user_id, StoredTask(uuid, json), moments[uuid] != number)

    def do_all(self, request: BatchRequest) -> Writes:
        """Raises as ``do``, with ``op``, the operation's index, among the error's extras."""
        feeds, rows = self._feeds.copy(), self._rows.copy()
        logged, settled = len(self._log), len(self._settled)
        written = Writes()
        for index, operation in enumerate(request.operations):
            try:
                written.append(self.do(request, operation))
            except TaskbeamError as refusal:
                self._feeds, self._rows = feeds, rows
                del self._log[logged:], self._settled[settled:]
                if isinstance(refusal, Conflict) and isinstance(operation, (UpdateTask, DeleteTask)):
                    row = self._row(operation.uuid)  # what the batch made of the task never existed
                    refusal.extra["task"] = None if row is None else row.task.decode()
                refusal.extra["op"] = index
                raise
        return written

    def do(self, request: Request, operation: Operation) -> Written:
        """Raises NotFound, Conflict, LimitReached, ValidationFailed, UserGone."""
        match operation:
            case CreateTask():
                return self._create(request, operation)
            case UpdateTask():
                return self._update(request, operation)
            case DeleteTask():
                return self._delete(request, operation)
            case Refused():
                raise operation.error

    def _create(self, request: Request, operation: CreateTask) -> Written:
        uuid = operation.uuid
        if uuid is not None and (row := self._row(uuid)) is not None:
            if row.user_id != request.user_id:
                raise ValidationFailed({"uuid": ["This field must be unique."]})
            return Written(row.task, None)
        if self._feed(request.user_id).tasks >= request.max_tasks:
            raise LimitReached(request.max_tasks)
        number, brought = self._next_moment(request.now), False
        if uuid is None:
            uuid = uuid7(number)
        else:
            brought = tick_of(uuid) != number
        task = StoredTask(uuid, _encode(operation.made(uuid, request.user_id, timestamp(request.now))))
        self._rows[uuid] = _Row(number, request.user_id, task, brought)
        return Written(task, self._change(request, "create", task, number))

    def _update(self, request: Request, operation: UpdateTask) -> Written:
        row = self._expected(request, operation)
        old = row.task.decode()
        # A clock that was set back must not turn the order around.
        new = operation.applied(old, max(timestamp(request.now), old.time_modified))
        task = StoredTask(old.uuid, _encode(new))
        self._rows[task.uuid] = _Row(row.id, row.user_id, task, row.brought)
        return Written(task, self._change(request, "update", task))

    def _delete(self, request: Request, operation: DeleteTask) -> Written:
        row = self._expected(request, operation)
        self._rows[row.task.uuid] = None
        return Written(row.task, self._change(request, "delete", row.task, -row.id))

    def _expected(self, request: Request, operation: UpdateTask | DeleteTask) -> _Row:
        row = self._row(operation.uuid)
        if row is None or row.user_id != request.user_id:
            raise NotFound
        if operation.rev is not None and operation.rev != row.task.rev:
            raise Conflict(row.task.decode())
        return row

    def _change(self, request: Request, mode: Mode, task: StoredTask, entry: int | None = None) -> Change:
        """``entry`` is the id of a task that comes or, negative, goes."""
        feed = self._feed(request.user_id)
        if self._first is None:
            self._first = read_position(self._connection).changes + 1
        change = Change(
            self._first + len(self._log),
            request.user_id,
            feed.seq + 1,
            mode,
            task.uuid,
            None if mode == "delete" else task.json,
            request.write_id,
        )
        tasks, pending = feed.tasks, feed.pending
        if entry is not None:
            tasks += 1 if entry > 0 else -1
            pending = self._with_entry(request.user_id, pending, entry)
        self._feeds[request.user_id] = Feed(change.seq, tasks, change.position, pending)
        self._log.append((change, feed.last))
        return change

    def _with_entry(self, user_id: int, pending: tuple[int, ...], entry: int) -> tuple[int, ...]:
        if -entry in pending:  # what the index never got to know
            return tuple(other for other in pending if other != -entry)
        if len(pending) < PENDING_MAX:
            return (*pending, entry)
        self._settled += [(user_id, other) for other in pending]
        return (entry,)

    def _next_moment(self, now: int) -> int:
        """The first of the microsecond that no task has; where all are taken, of the next one that has any."""
        if self._newest is None:
            self._newest = self._connection.execute("SELECT max(id) FROM tasks").fetchall()[0][0] or 0
        free = max(first_tick(now), self._newest + 1)
        if free < first_tick(now + 1):
            self._moments[now] = free
        else:  # the clock was set back, or another process was faster, or all are taken
            free = self._moment_among_others(now)
        self._newest = max(free, self._newest)
        return free

    def _moment_among_others(self, now: int) -> int:
        while True:
            first, after = first_tick(now), first_tick(now + 1)
            last = (
                self._moments.get(now)
                or self._connection.execute(
                    "SELECT max(id) FROM tasks WHERE id >= ? AND id < ?", (first, after)
                ).fetchall()[0][0]
            )
            free = first if last is None else last + 1
            if free < after:
                self._moments[now] = free
                return free
            now += 1

    def _feed(self, user_id: int) -> Feed:
        feed = self._feeds.get(user_id) or self._known.by_user.get(user_id)
        if feed is None:
            feed = self._feeds[user_id] = read_feed(self._connection, user_id)
        return feed

    def _row(self, uuid: str) -> _Row | None:
        if uuid in self._rows:
            return self._rows[uuid]
        if uuid not in self._stored:
            self._stored[uuid] = None
            row = read_row(self._connection, uuid)
            if row is not None:
                number, _, user_id, json = row
                self._stored[uuid] = _Row(number, user_id, StoredTask(uuid, json), tick_of(uuid) != number)
        return self._stored[uuid]

    # Writing

    def _write_feeds(self) -> None:
        changed = {change.user_id for change, _ in self._log}
        self._insert(
            "feeds",
            ("user_id", "seq", "tasks", "last", "pending"),
            [
                (user_id, feed.seq, feed.tasks, feed.last, ids_text(feed.pending))
                for user_id in changed
                for feed in (self._feeds[user_id],)
            ],
            " ON CONFLICT (user_id) DO UPDATE SET"
            " seq = excluded.seq, tasks = excluded.tasks, last = excluded.last, pending = excluded.pending",
        )

    def _write_index(self) -> None:
        entries = {
            (user_id, abs(entry)): entry > 0 for user_id, entry in self._settled
        }  # the last one counts
        added = [place for place, is_added in entries.items() if is_added]
        removed = [place for place, is_added in entries.items() if not is_added]
        if removed:
            self._connection.executemany("DELETE FROM user_tasks WHERE user_id = ? AND id = ?", removed)
        # A clock that stands still may give an id again before its end was written.
        self._insert("user_tasks", ("user_id", "id"), added, " ON CONFLICT DO NOTHING")

    def _write_tasks(self) -> None:
        deleted, updated, inserted = [], [], []
        forgotten, brought = [], []
        for uuid, row in self._rows.items():
            stored = self._stored.get(uuid)
            if row is not None and stored is not None and row.id == stored.id:
                updated.append((row.task.json, row.id))
                continue
            if stored is not None:
                deleted.append(stored.id)
                if stored.brought:
                    forgotten.append((uuid,))
            if row is not None:
                inserted.append((row.id, uuid, row.user_id, row.task.json))
                if row.brought:
                    brought.append((uuid, row.id))
        if deleted:
            self._connection.execute(
                "DELETE FROM tasks WHERE id IN (SELECT value FROM json_each(?))", (ids_text(deleted),)
            )
        if forgotten:
            self._connection.executemany("DELETE FROM client_uuids WHERE uuid = ?", forgotten)
        self._insert("tasks", ("id", "uuid", "user_id", "json"), inserted)
        self._insert("client_uuids", ("uuid", "id"), brought)
        if updated:
            self._connection.executemany("UPDATE tasks SET json = ? WHERE id = ?", updated)

    def _write_log(self) -> None:
        self._insert(
            "changes",
            (*Change.__struct_fields__, "previous"),
            [(*astuple(change), previous) for change, previous in self._log],
        )
        for change, _ in self._log:
            if change.seq % ANCHOR_EVERY == 0:
                add_anchor(self._connection, change)

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
