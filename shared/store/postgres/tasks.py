"""The SQL of tasks, feeds and the change log: what a group of writes reads, and the difference that it writes."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from shared.decisions.history import HISTORY, no_page, page_seqs, read_page
from shared.decisions.tasks import BatchRequest, Decided, Feed, Kept, WriteRequest, decide, named_tasks
from shared.errors import UserGone
from shared.models import Change, ChangePage, StoredTask
from shared.store.batching import Outcome
from shared.store.postgres.pool import Connection
from shared.uuid7 import TICKS_PER_MICROSECOND, first_tick, uuid7

TaskWrite = WriteRequest | BatchRequest
Place = int | None
"""Of a new task, when it was created, in microseconds; ``None`` of one that is stored."""

PRUNE_EVERY: Final = 100  # changes of a user; pruned are so many at once
_CHANGE: Final = "user_id, seq, mode, task_id::text, task, write_id"


class _NewTasks:
    """See ``shared.decisions.tasks.PlaceNewTask``."""

    def __init__(self) -> None:
        self._counter = itertools.count()

    def __call__(self, now: int, uuid: str | None) -> tuple[str, Place]:
        if uuid is None:
            uuid = uuid7(first_tick(now) + next(self._counter) % TICKS_PER_MICROSECOND)
        return uuid, now


async def write_tasks(
    connection: Connection, requests: Sequence[TaskWrite]
) -> tuple[list[Outcome], list[Change]]:
    """Carry out the requests in order, in the transaction that is open."""
    user_ids = sorted({request.user_id for request in requests})
    # Locked in the order of the ids, so that two groups do not wait for each other.
    rows = await connection.fetch(
        "SELECT user_id, seq, tasks FROM feeds WHERE user_id = ANY($1::bigint[]) ORDER BY user_id FOR UPDATE",
        user_ids,
    )
    feeds = {row[0]: Feed(row[1], row[2]) for row in rows}
    tasks = await read_tasks(connection, named_tasks(requests))
    decided = decide(requests, feeds, tasks, _NewTasks())
    if decided.changes:
        await _write(connection, tasks, decided)
    return [*decided.outcomes], decided.changes


async def read_tasks(connection: Connection, uuids: Collection[str]) -> dict[str, Kept[Place]]:
    """Those that there are, whoever's."""
    if not uuids:
        return {}
    rows = await connection.fetch(
        "SELECT uuid::text, user_id, json FROM tasks WHERE uuid = ANY($1::text[]::uuid[])", list(uuids)
    )
    return {uuid: Kept(user_id, StoredTask(uuid, json), None) for uuid, user_id, json in rows}


async def _write(connection: Connection, before: Mapping[str, Kept[Place]], decided: Decided[Place]) -> None:
    created = {change.task_id: change.seq for change in decided.changes if change.mode == "create"}
    deleted: list[str] = []
    updated: list[tuple[str, bytes]] = []
    inserted: list[tuple[str, int, int, int, bytes]] = []
    for uuid, new in decided.tasks.items():
        old = before.get(uuid)
        if old is not None and new is not None and new.place is None:
            updated.append((uuid, new.task.json))
            continue
        if old is not None:
            deleted.append(uuid)
        if new is not None:
            assert new.place is not None
            inserted.append((uuid, new.user_id, new.place, created[uuid], new.task.json))
    if deleted:  # by itself, and first: a uuid may have been taken again
        await connection.execute("DELETE FROM tasks WHERE uuid = ANY($1::text[]::uuid[])", deleted)
    # In the order of the uuids, so that two groups do not wait for each other.
    inserted.sort()
    await connection.execute(
        """
        WITH updated AS (
            UPDATE tasks SET json = given.json FROM unnest($1::text[], $2::bytea[]) AS given (uuid, json)
            WHERE tasks.uuid = given.uuid::uuid
        ), inserted AS (
            INSERT INTO tasks (uuid, user_id, created, seq, json)
            SELECT uuid::uuid, user_id, created, seq, json
            FROM unnest($3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bytea[])
                AS given (uuid, user_id, created, seq, json)
        ), logged AS (
            INSERT INTO changes (user_id, seq, mode, task_id, task, write_id)
            SELECT user_id, seq, mode, task_id::uuid, task, write_id
            FROM unnest($8::bigint[], $9::bigint[], $10::text[], $11::text[], $12::bytea[], $13::bigint[])
                AS given (user_id, seq, mode, task_id, task, write_id)
        )
        UPDATE feeds SET seq = given.seq, tasks = given.tasks
        FROM unnest($14::bigint[], $15::bigint[], $16::bigint[]) AS given (user_id, seq, tasks)
        WHERE feeds.user_id = given.user_id
        """,
        *_columns(updated, 2),
        *_columns(inserted, 5),
        *_columns(
            [
                (change.user_id, change.seq, change.mode, change.task_id, change.task, change.write_id)
                for change in decided.changes
            ],
            6,
        ),
        *_columns([(user_id, feed.seq, feed.tasks) for user_id, feed in decided.feeds.items()], 3),
    )
    prune = [
        (change.user_id, change.seq - HISTORY)
        for change in decided.changes
        if change.seq % PRUNE_EVERY == 0 and change.seq > HISTORY
    ]
    if prune:
        await connection.execute(
            "DELETE FROM changes USING unnest($1::bigint[], $2::bigint[]) AS given (user_id, seq) "
            "WHERE changes.user_id = given.user_id AND changes.seq <= given.seq",
            *_columns(prune, 2),
        )


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]


async def read_seq(connection: Connection, user_id: int) -> int:
    """Raises UserGone."""
    seq: int | None = await connection.fetchval("SELECT seq FROM feeds WHERE user_id = $1", user_id)
    if seq is None:
        raise UserGone
    return seq


async def read_seqs(connection: Connection, user_ids: Collection[int]) -> dict[int, int]:
    """Of each user that is there."""
    rows = await connection.fetch(
        "SELECT user_id, seq FROM feeds WHERE user_id = ANY($1::bigint[])", list(user_ids)
    )
    return {row[0]: row[1] for row in rows}


async def read_changes(
    connection: Connection, user_id: int, same_epoch: bool, since: int, limit: int
) -> ChangePage:
    """A page of a user's changes after ``since``, as `Store.changes` says. Raises UserGone."""
    # One statement sees one state: the page belongs to the seq.
    row = await connection.fetchrow(
        f"SELECT seq, ARRAY(SELECT ROW({_CHANGE}) FROM changes WHERE user_id = $1 AND seq > $2 ORDER BY seq LIMIT $3) "
        "FROM feeds WHERE user_id = $1",
        user_id,
        min(since, 2**63 - 1),
        limit,
    )
    if row is None:
        raise UserGone
    newest, kept = row
    seqs = page_seqs(newest, same_epoch, since, limit)
    if not isinstance(seqs, range):
        return no_page(newest, seqs)
    changes = [Change(*change) for change in kept]
    return read_page(newest, seqs, [change for change in changes if change.seq in seqs])


async def count_changes(connection: Connection) -> int:
    """As `Store.count_changes`. The feeds tell: to count the rows of the log would read all of it."""
    count: int = await connection.fetchval(
        "SELECT coalesce(sum(seq - greatest(0, seq / $1 * $1 - $2)), 0)::bigint FROM feeds",
        PRUNE_EVERY,
        HISTORY,
    )
    return count


async def read_deleted_tasks(connection: Connection) -> set[str]:
    """As `Store.deleted_tasks`."""
    rows = await connection.fetch("SELECT DISTINCT task_id::text FROM changes WHERE mode = 'delete'")
    return {row[0] for row in rows}


async def delete_tasks(connection: Connection, user_id: int) -> None:
    """Delete all of a user's tasks and changes. Writes of the user wait for the end of the transaction."""
    await connection.execute("SELECT 1 FROM feeds WHERE user_id = $1 FOR UPDATE", user_id)
    await connection.execute("DELETE FROM changes WHERE user_id = $1", user_id)
    await connection.execute("DELETE FROM tasks WHERE user_id = $1", user_id)
