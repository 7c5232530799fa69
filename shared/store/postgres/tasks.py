"""The SQL of tasks, feeds and the change log that reads, or deletes all of a user's."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from shared.decisions.history import HISTORY, no_page, page_seqs, read_page
from shared.errors import UserGone
from shared.models import Change, ChangePage, StoredTask
from shared.store.postgres.pool import Connection

PRUNE_EVERY: Final = 100  # changes of a user; pruned are so many at once
_CHANGE: Final = "user_id, seq, mode, task_id::text, task, write_id"


async def read_tasks(connection: Connection, uuids: Collection[str]) -> dict[str, tuple[int, StoredTask]]:
    """Those that there are, whoever's, with their users."""
    rows = await connection.fetch(
        "SELECT uuid::text, user_id, json FROM tasks WHERE uuid = ANY($1::text[]::uuid[])", list(uuids)
    )
    return {uuid: (user_id, StoredTask(uuid, json)) for uuid, user_id, json in rows}


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
