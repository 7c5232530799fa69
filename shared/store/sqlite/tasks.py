"""The SQL of the rows of ``tasks``, as functions of a plain connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from typing import Final

import msgspec

from shared.decisions.tasks import Kept
from shared.errors import NotFound
from shared.models import StoredTask
from shared.store.sqlite.feeds import ids_text, read_feed
from shared.store.sqlite.inserts import insert
from shared.store.sqlite.task_ids import Place
from shared.uuid7 import tick_of

KeptTask = Kept[Place]

# A user's tasks: those that the index has, and those that it has not yet. What it still has of the deleted has no row.
_IDS = """
SELECT id FROM user_tasks WHERE user_id = :user_id
UNION ALL SELECT value FROM json_each(:pending)"""

_encode = msgspec.json.Encoder().encode

TaskRow = tuple[int, str, int, bytes]
"""A row of ``tasks``."""
_TASK: Final = "SELECT tasks.id, tasks.uuid, user_id, tasks.json FROM"


def read_row(connection: sqlite3.Connection, uuid: str) -> TaskRow | None:
    """By the id in the uuid or, where that is none or another's, by the index of client uuids."""
    rows = connection.execute(f"{_TASK} tasks WHERE id = ? AND uuid = ?", (tick_of(uuid), uuid)).fetchall()
    if not rows:
        rows = connection.execute(
            f"{_TASK} client_uuids JOIN tasks USING (id, uuid) WHERE client_uuids.uuid = ?",
            (uuid,),
        ).fetchall()
    return rows[0] if rows else None


def read_rows(connection: sqlite3.Connection, uuids: Collection[str]) -> dict[str, KeptTask]:
    """As ``read_row``, of those that there are, with two statements at most."""
    if not uuids:
        return {}
    ticks = {uuid: tick_of(uuid) for uuid in uuids}
    rows: list[TaskRow] = connection.execute(
        f"{_TASK} json_each(?) CROSS JOIN tasks ON tasks.id = value",
        (ids_text([tick for tick in ticks.values() if tick is not None]),),
    ).fetchall()
    rows = [row for row in rows if row[1] in ticks]  # an id that one uuid contains may be another's
    if missing := ticks.keys() - [row[1] for row in rows]:
        rows += connection.execute(
            f"""{_TASK} json_each(?) CROSS JOIN client_uuids ON client_uuids.uuid = value
            JOIN tasks ON tasks.id = client_uuids.id AND tasks.uuid = value""",
            (_encode(list(missing)).decode(),),
        ).fetchall()
    return {
        uuid: Kept(user_id, StoredTask(uuid, json), (task_id, ticks[uuid] != task_id))
        for task_id, uuid, user_id, json in rows
    }


def read_task(connection: sqlite3.Connection, user_id: int, uuid: str) -> StoredTask:
    """Raises NotFound."""
    row = read_row(connection, uuid)
    if row is None or row[2] != user_id:
        raise NotFound
    return StoredTask(uuid, row[3])


def delete_tasks(connection: sqlite3.Connection, user_id: int) -> None:
    """Delete all of a user's tasks. Raises UserGone."""
    values = {"user_id": user_id, "pending": ids_text(read_feed(connection, user_id).pending)}
    of_user = f"user_id = :user_id AND id IN ({_IDS})"
    connection.execute(
        f"DELETE FROM client_uuids WHERE uuid IN (SELECT uuid FROM tasks WHERE {of_user})", values
    )
    connection.execute(f"DELETE FROM tasks WHERE {of_user}", values)
    connection.execute("DELETE FROM user_tasks WHERE user_id = :user_id", values)


def write_tasks(
    connection: sqlite3.Connection, before: Mapping[str, KeptTask], after: Mapping[str, KeptTask | None]
) -> dict[int, list[int]]:
    """Write the difference: what there was ``before`` of the tasks, or more, and what there shall be of each ``after``.

    Returns:
        The new entries of each user's task index, see ``task_index``.
    """
    deleted, updated, inserted = [], [], []
    uuids_deleted, uuids_inserted = [], []
    entries: dict[int, list[int]] = {}
    for uuid, new in after.items():
        old = before.get(uuid)
        if old is not None and new is not None and old.place == new.place:
            updated.append((new.task.json, new.place[0]))
            continue
        if old is not None:
            task_id, in_client_uuids = old.place
            deleted.append(task_id)
            entries.setdefault(old.user_id, []).append(-task_id)
            if in_client_uuids:
                uuids_deleted.append((uuid,))
        if new is not None:
            task_id, in_client_uuids = new.place
            inserted.append((task_id, uuid, new.user_id, new.task.json))
            entries.setdefault(new.user_id, []).append(task_id)
            if in_client_uuids:
                uuids_inserted.append((uuid, task_id))
    if deleted:  # first: a uuid may have been taken again
        connection.execute(
            "DELETE FROM tasks WHERE id IN (SELECT value FROM json_each(?))", (ids_text(deleted),)
        )
    if uuids_deleted:
        connection.executemany("DELETE FROM client_uuids WHERE uuid = ?", uuids_deleted)
    insert(connection, "tasks", ("id", "uuid", "user_id", "json"), inserted)
    insert(connection, "client_uuids", ("uuid", "id"), uuids_inserted)
    if updated:
        connection.executemany("UPDATE tasks SET json = ? WHERE id = ?", updated)
    return entries
