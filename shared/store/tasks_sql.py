"""The SQL of tasks and of the change log, as functions of a plain connection, run whole on its thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from shared.clock import timestamp, uuid7
from shared.errors import Conflict, LimitReached, NotFound, TaskbeamError, UserGone, ValidationFailed
from shared.models import (
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
    Written,
)
from shared.store import Position, Revocation, Tail

HISTORY: Final = 10_000  # changes kept for each user, at least
_PRUNE_EVERY: Final = 100  # and at most this many more
_TAIL_PAGE: Final = 1000

_TASK = "uuid, user_id, time_created, time_modified, task, description, completed, rev"
_CHANGE = "position, user_id, seq, mode, task_id, task, origin"

_encode = msgspec.json.Encoder().encode


class Writes(msgspec.Struct, frozen=True):
    """The outcome of a write of tasks, as opposed to one of accounts."""

    written: list[Written]


class Transaction(msgspec.Struct, frozen=True):
    """One user's operations. Each operation looks before it writes, so that one that refuses has written nothing."""

    user_id: int
    now: int
    max_tasks: int
    origin: int | None

    def run_one(self, connection: sqlite3.Connection, operation: Operation) -> Writes:
        return Writes([self._do(connection, operation)])

    def run_all(self, connection: sqlite3.Connection, operations: Sequence[Operation]) -> Writes:
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
        return Writes(written)

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
            read_seq(connection, self.user_id)  # raises UserGone
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
        old = _expected(read_task(connection, self.user_id, operation.uuid), operation.rev)
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
        task = _expected(read_task(connection, self.user_id, operation.uuid), operation.rev)
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
        return read_task(connection, user_id, task.uuid)
    except NotFound:
        return None


def _expected(task: Task, rev: int | None) -> Task:
    if rev is not None and rev != task.rev:
        raise Conflict(task)
    return task


def _to_task(row: Sequence[Any]) -> Task:
    uuid, user_id, created, modified, task, description, completed, rev = row
    return Task(uuid, user_id, created, modified, task, description, bool(completed), rev)


def _to_change(row: Sequence[Any]) -> Change:
    position, user_id, seq, mode, task_id, task, origin = row
    return Change(position, user_id, seq, mode, task_id, None if task is None else msgspec.Raw(task), origin)


def read_task(connection: sqlite3.Connection, user_id: int, uuid: str) -> Task:
    rows = connection.execute(f"SELECT {_TASK} FROM tasks WHERE uuid = ?", (uuid,)).fetchall()
    if not rows or rows[0][1] != user_id:
        raise NotFound
    return _to_task(rows[0])


def find_tasks(connection: sqlite3.Connection, user_id: int, query: TaskQuery) -> TaskPage:
    seq = read_seq(connection, user_id)
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


def read_seq(connection: sqlite3.Connection, user_id: int) -> int:
    rows = connection.execute("SELECT seq FROM feeds WHERE user_id = ?", (user_id,)).fetchall()
    if not rows:
        raise UserGone
    seq: int = rows[0][0]
    return seq


def read_changes(
    connection: sqlite3.Connection, user_id: int, same_epoch: bool, since: int, limit: int
) -> ChangePage:
    seq = read_seq(connection, user_id)
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


def read_position(connection: sqlite3.Connection) -> Position:
    changes, revocations = (
        # sqlite_sequence, not the newest row: that one may have been deleted with its user.
        connection.execute(
            "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = ?", (table,)
        ).fetchall()
        for table in ("changes", "revocations")
    )
    return Position(changes[0][0], revocations[0][0])


def read_tail(connection: sqlite3.Connection, after: Position) -> Tail:
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
