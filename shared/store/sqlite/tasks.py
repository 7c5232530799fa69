"""The SQL of single tasks and of feeds, as functions of a plain connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from typing import Final

import msgspec

from shared.errors import NotFound, UserGone
from shared.models import StoredTask
from shared.uuid7 import tick_of

# A user's tasks: those that the index has, and those that it has not yet. What it still has of the deleted has no row.
_IDS = """
SELECT id FROM user_tasks WHERE user_id = :user_id
UNION ALL SELECT value FROM json_each(:pending)"""

_decode_ids = msgspec.json.Decoder(tuple[int, ...]).decode
_encode = msgspec.json.Encoder().encode

TaskRow = tuple[int, str, int, bytes]
"""A row of ``tasks``."""
_TASK: Final = "SELECT tasks.id, tasks.uuid, user_id, tasks.json FROM"


class Feed(msgspec.Struct, frozen=True, gc=False):
    """A user's row of ``feeds``: ``last`` is the position of the newest change.

    ``pending`` is what the index of the user's tasks does not know yet: ids to be added and, negative, to be removed.
    """

    seq: int
    tasks: int
    last: int
    pending: tuple[int, ...]


def to_feed(seq: int, tasks: int, last: int, pending: str) -> Feed:
    """A row of ``feeds``."""
    return Feed(seq, tasks, last, _decode_ids(pending) if pending != "[]" else ())


def ids_text(ids: Collection[int]) -> str:
    """For a column, or for ``json_each``."""
    return _encode(ids).decode()


def read_feed(connection: sqlite3.Connection, user_id: int) -> Feed:
    """Raises UserGone."""
    rows = connection.execute(
        "SELECT seq, tasks, last, pending FROM feeds WHERE user_id = ?", (user_id,)
    ).fetchall()
    if not rows:
        raise UserGone
    return to_feed(*rows[0])


def read_row(connection: sqlite3.Connection, uuid: str) -> TaskRow | None:
    """By the id that the uuid says or, should that be none or another's, by the index of those that clients brought."""
    rows = connection.execute(f"{_TASK} tasks WHERE id = ? AND uuid = ?", (tick_of(uuid), uuid)).fetchall()
    if not rows:
        rows = connection.execute(
            f"{_TASK} client_uuids JOIN tasks USING (id, uuid) WHERE client_uuids.uuid = ?",
            (uuid,),
        ).fetchall()
    return rows[0] if rows else None


def read_rows(connection: sqlite3.Connection, moments: Mapping[str, int | None]) -> list[TaskRow]:
    """As ``read_row``, of those that there are: of uuids, and the moments that they say."""
    ids = [number for number in moments.values() if number is not None]
    rows: list[TaskRow] = connection.execute(
        f"{_TASK} json_each(?) CROSS JOIN tasks ON tasks.id = value", (ids_text(ids),)
    ).fetchall()
    rows = [row for row in rows if row[1] in moments]  # an id that is said by one may be another's
    if missing := moments.keys() - [row[1] for row in rows]:
        rows += connection.execute(
            f"""{_TASK} json_each(?) CROSS JOIN client_uuids ON client_uuids.uuid = value
            JOIN tasks ON tasks.id = client_uuids.id AND tasks.uuid = value""",
            (_encode(list(missing)).decode(),),
        ).fetchall()
    return rows


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
