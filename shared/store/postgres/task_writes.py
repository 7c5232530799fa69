"""The SQL of writing tasks: the state that a group of requests meets, and the difference that it makes, as one statement.

The state is read without locks. The statement locks the feeds of the users who have changes, and writes nothing at all where one of
them has moved on meanwhile. Every change of a user's tasks moves the feed, so nothing else has to be compared.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from shared.decisions.history import HISTORY
from shared.decisions.tasks import BatchRequest, Decided, Feed, Kept, WriteRequest, decide, named_tasks
from shared.models import StoredTask
from shared.store.postgres.pool import Connection
from shared.store.postgres.tasks import PRUNE_EVERY
from shared.uuid7 import TICKS_PER_MICROSECOND, first_tick, uuid7

TaskWrite = WriteRequest | BatchRequest
Place = int | None
"""Of a new task, when it was created, in microseconds; ``None`` of one that is stored."""


class Number(NamedTuple):
    """Of a transaction: the id of the process's row in ``writers``, and which of its transactions it is."""

    writer: int
    number: int


class _Rows(NamedTuple):
    """What is written to ``tasks``."""

    deleted: list[str]
    updated: list[tuple[str, bytes]]
    inserted: list[tuple[str, int, int, int, bytes]]


class Plan(NamedTuple):
    """What a group comes to: ``feeds`` are those that were there, ``rows`` the difference."""

    feeds: Mapping[int, Feed]
    decided: Decided[Place]
    rows: _Rows

    @property
    def takes_uuids_again(self) -> bool:
        """That are deleted; one statement cannot do it."""
        return not {row[0] for row in self.rows.inserted}.isdisjoint(self.rows.deleted)


class _NewTasks:
    """See ``shared.decisions.tasks.PlaceNewTask``."""

    def __init__(self) -> None:
        self._counter = itertools.count()

    def __call__(self, now: int, uuid: str | None) -> tuple[str, Place]:
        if uuid is None:
            uuid = uuid7(first_tick(now) + next(self._counter) % TICKS_PER_MICROSECOND)
        return uuid, now


async def make_plan(connection: Connection, requests: Sequence[TaskWrite]) -> Plan:
    """Decide the requests, in order, on what there is: one statement reads it, and so sees one moment."""
    rows = await connection.fetch(
        """
        SELECT user_id, seq, tasks, NULL::text, NULL::bytea FROM feeds WHERE user_id = ANY($1::bigint[])
        UNION ALL
        SELECT user_id, NULL, NULL, uuid::text, json FROM tasks WHERE uuid = ANY($2::text[]::uuid[])
        """,
        list({request.user_id for request in requests}),
        list(named_tasks(requests)),
    )
    feeds: dict[int, Feed] = {}
    tasks: dict[str, Kept[Place]] = {}
    for user_id, seq, count, uuid, json in rows:
        if uuid is None:
            feeds[user_id] = Feed(seq, count)
        else:
            tasks[uuid] = Kept(user_id, StoredTask(uuid, json), None)
    decided = decide(requests, feeds, tasks, _NewTasks())
    return Plan(feeds, decided, _difference(tasks, decided))


def _difference(before: Mapping[str, Kept[Place]], decided: Decided[Place]) -> _Rows:
    created = {change.task_id: change.seq for change in decided.changes if change.mode == "create"}
    rows = _Rows([], [], [])
    for uuid, new in decided.tasks.items():
        old = before.get(uuid)
        if old is not None and new is not None and new.place is None:
            rows.updated.append((uuid, new.task.json))
            continue
        if old is not None:
            rows.deleted.append(uuid)
        if new is not None:
            assert new.place is not None
            rows.inserted.append((uuid, new.user_id, new.place, created[uuid], new.task.json))
    # In the order of the uuids, so that two groups do not wait for each other.
    rows.inserted.sort()
    return rows


WRITE: Final = """
    WITH locked AS (
        SELECT feeds.user_id FROM feeds JOIN unnest($1::bigint[], $2::bigint[]) AS given (user_id, seq) USING (user_id)
        WHERE feeds.seq = given.seq ORDER BY feeds.user_id FOR UPDATE OF feeds
    ), numbered AS (
        INSERT INTO writers (id, last_number, seen) SELECT $3::bigint, $4::bigint, extract(epoch FROM now())
        WHERE (SELECT count(*) FROM locked) = cardinality($1)
        ON CONFLICT (id) DO UPDATE SET last_number = excluded.last_number, seen = excluded.seen
        WHERE writers.fence < excluded.last_number
        RETURNING true
    ), deleted AS (
        DELETE FROM tasks USING numbered WHERE uuid = ANY($5::text[]::uuid[])
    ), updated AS (
        UPDATE tasks SET json = given.json FROM numbered, unnest($6::text[], $7::bytea[]) AS given (uuid, json)
        WHERE tasks.uuid = given.uuid::uuid
    ), inserted AS (
        INSERT INTO tasks (uuid, user_id, created, seq, json)
        SELECT uuid::uuid, user_id, created, seq, json
        FROM numbered, unnest($8::text[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bytea[])
            AS given (uuid, user_id, created, seq, json)
    ), logged AS (
        INSERT INTO changes (user_id, seq, mode, task_id, task, write_id)
        SELECT user_id, seq, mode, task_id::uuid, task, write_id
        FROM numbered, unnest($13::bigint[], $14::bigint[], $15::text[], $16::text[], $17::bytea[], $18::bigint[])
            AS given (user_id, seq, mode, task_id, task, write_id)
    ), pruned AS (
        DELETE FROM changes USING numbered, unnest($19::bigint[], $20::bigint[]) AS given (user_id, seq)
        WHERE changes.user_id = given.user_id AND changes.seq <= given.seq
    ), moved AS (
        UPDATE feeds SET seq = given.seq, tasks = given.tasks
        FROM numbered, unnest($21::bigint[], $22::bigint[], $23::bigint[]) AS given (user_id, seq, tasks)
        WHERE feeds.user_id = given.user_id
    )
    SELECT EXISTS (SELECT FROM numbered)
"""


async def write_locked(
    connection: Connection, requests: Sequence[TaskWrite], number: Number
) -> Decided[Place]:
    """Plan and write in the transaction that is open, in which nobody else writes for these users."""
    # In the order of the ids, so that two groups do not wait for each other.
    await connection.execute(
        "SELECT 1 FROM feeds WHERE user_id = ANY($1::bigint[]) ORDER BY user_id FOR UPDATE",
        list({request.user_id for request in requests}),
    )
    plan = await make_plan(connection, requests)
    if plan.rows.deleted:
        await connection.execute("DELETE FROM tasks WHERE uuid = ANY($1::text[]::uuid[])", plan.rows.deleted)
        plan = plan._replace(rows=plan.rows._replace(deleted=[]))
    if plan.decided.changes and not await write(connection, plan, number):
        raise AssertionError("feeds have moved that were locked")
    return plan.decided


async def write(connection: Connection, plan: Plan, number: Number) -> bool:
    """Write what was decided, all of it. ``False``, and nothing is written: another one has written for these users since.

    Or this one has been given up: see ``writer.py``. Without a transaction it is one, and committed afterwards.
    """
    decided, rows = plan.decided, plan.rows
    written: bool = await connection.fetchval(
        WRITE,
        *_columns([(user_id, plan.feeds[user_id].seq) for user_id in decided.feeds], 2),
        *number,
        rows.deleted,
        *_columns(rows.updated, 2),
        *_columns(rows.inserted, 5),
        *_columns(
            [
                (change.user_id, change.seq, change.mode, change.task_id, change.task, change.write_id)
                for change in decided.changes
            ],
            6,
        ),
        *_columns(
            [
                (change.user_id, change.seq - HISTORY)
                for change in decided.changes
                if change.seq % PRUNE_EVERY == 0 and change.seq > HISTORY
            ],
            2,
        ),
        *_columns([(user_id, feed.seq, feed.tasks) for user_id, feed in decided.feeds.items()], 3),
    )
    return written


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]
