"""The SQL that reads tasks, as functions of a plain connection."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Collection, Mapping
from typing import Any, Final

import msgspec

from shared.clock import moment_of
from shared.errors import NotFound, UserGone
from shared.models import StoredTask, TaskPage, TaskQuery
from shared.store.sqlite.list_cache import Pages

SHORT_LIST: Final = 100  # rows

# A user's tasks: those that the index has, and those that it has not yet. What it still has of the deleted has no row.
_IDS = """
SELECT id FROM user_tasks WHERE user_id = :user_id
UNION ALL SELECT value FROM json_each(:unsettled)"""
_SETTLED = "user_tasks AS place"
_UNSETTLED = "(SELECT :user_id AS user_id, value AS id FROM json_each(:unsettled)) AS place"

_decode_ids = msgspec.json.Decoder(tuple[int, ...]).decode
_encode = msgspec.json.Encoder().encode

TaskRow = tuple[int, str, int, bytes]
"""A row of ``tasks``."""
_TASK: Final = "SELECT tasks.id, tasks.uuid, user_id, tasks.json FROM"


class Feed(msgspec.Struct, frozen=True, gc=False):
    """A user's row of ``feeds``: ``last`` is the position of the newest change.

    ``unsettled`` is what the index of the user's tasks does not know yet: ids to be added and, negative, to be removed.
    """

    seq: int
    tasks: int
    last: int
    unsettled: tuple[int, ...]


def to_feed(seq: int, tasks: int, last: int, unsettled: str) -> Feed:
    """A row of ``feeds``."""
    return Feed(seq, tasks, last, _decode_ids(unsettled) if unsettled != "[]" else ())


def ids_text(ids: Collection[int]) -> str:
    """For a column, or for ``json_each``."""
    return _encode(ids).decode()


def read_feed(connection: sqlite3.Connection, user_id: int) -> Feed:
    """Raises UserGone."""
    rows = connection.execute(
        "SELECT seq, tasks, last, unsettled FROM feeds WHERE user_id = ?", (user_id,)
    ).fetchall()
    if not rows:
        raise UserGone
    return to_feed(*rows[0])


def read_row(connection: sqlite3.Connection, uuid: str) -> TaskRow | None:
    """By the id that the uuid says or, should that be none or another's, by the index of those that clients brought."""
    rows = connection.execute(f"{_TASK} tasks WHERE id = ? AND uuid = ?", (moment_of(uuid), uuid)).fetchall()
    if not rows:
        rows = connection.execute(
            f"{_TASK} brought_uuids JOIN tasks USING (id, uuid) WHERE brought_uuids.uuid = ?",
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
            f"""{_TASK} json_each(?) CROSS JOIN brought_uuids ON brought_uuids.uuid = value
            JOIN tasks ON tasks.id = brought_uuids.id AND tasks.uuid = value""",
            (_encode(list(missing)).decode(),),
        ).fetchall()
    return rows


def read_task(connection: sqlite3.Connection, user_id: int, uuid: str) -> StoredTask:
    """Raises NotFound."""
    row = read_row(connection, uuid)
    if row is None or row[2] != user_id:
        raise NotFound
    return StoredTask(uuid, row[3])


def find_few_tasks(
    connection: sqlite3.Connection, pages: Pages, user_id: int, query: TaskQuery
) -> TaskPage | None:
    """``None`` where more than ``SHORT_LIST`` rows would have to be looked at, or searched. Raises UserGone."""
    if query.search:
        return None
    feed = read_feed(connection, user_id)
    page = pages.get(user_id, query, feed.seq)
    if page is not None:
        return page
    looked_at = feed.tasks
    if query.limit is not None and not _is_filtered(query) and len(_order(query.ordering)) == 1:
        looked_at = min(looked_at, query.offset + query.limit)
    if looked_at > SHORT_LIST:
        return None
    page = _find_tasks(connection, user_id, feed, query)
    pages.keep(user_id, query, page)
    return page


def find_tasks(connection: sqlite3.Connection, user_id: int, query: TaskQuery) -> TaskPage:
    """Raises UserGone."""
    return _find_tasks(connection, user_id, read_feed(connection, user_id), query)


def _find_tasks(connection: sqlite3.Connection, user_id: int, feed: Feed, query: TaskQuery) -> TaskPage:
    is_completed = query.completed is not None
    selected, ordered = _statement(is_completed, bool(query.search), query.ordering, bool(feed.unsettled))
    values: dict[str, Any] = {
        "user_id": user_id,
        "unsettled": ids_text(feed.unsettled),
        "completed": query.completed,
        "terms": "\0".join(query.search),
        "limit": -1 if query.limit is None else query.limit,
        "offset": query.offset,
    }
    rows = connection.execute(ordered, values).fetchall()
    if not _is_filtered(query):
        count = feed.tasks
    elif query.limit is None and not query.offset:
        count = len(rows)
    else:
        count = connection.execute(f"SELECT count(*) FROM ({selected})", values).fetchall()[0][0]
    return TaskPage(b"[%b]" % b",".join([row[0] for row in rows]), count, feed.seq)


@functools.lru_cache(maxsize=64)
def _statement(
    is_completed: bool, is_searched: bool, ordering: tuple[tuple[str, bool], ...], has_unsettled: bool
) -> tuple[str, str]:
    """What is asked for, and the same in order, from an offset to a limit."""
    where = "place.user_id = :user_id AND tasks.user_id = :user_id"
    if is_completed:
        where += f" AND {_column('completed')} = :completed"
    if is_searched:  # one call for a row: it costs more than what is done in it
        where += f" AND has_all({_column('task')}, {_column('description')}, :terms)"
    columns = _order(ordering)
    names = ", ".join(["tasks.json", *(_column(field) for field, _ in columns)])
    order = ", ".join(
        f"{number} {'DESC' if descends else 'ASC'}" for number, (_, descends) in enumerate(columns, start=2)
    )
    selected = " UNION ALL ".join(
        f"SELECT {names} FROM {place} CROSS JOIN tasks ON tasks.id = place.id WHERE {where}"
        for place in ((_SETTLED, _UNSETTLED) if has_unsettled else (_SETTLED,))
    )
    return selected, f"{selected} ORDER BY {order} LIMIT :limit OFFSET :offset"


def _column(field: str) -> str:
    """A field of a task, or ``id``, the order of creation. As generated columns they would be computed at every insert."""
    if field == "id":
        return "place.id"  # the index's: a page from it needs no sorting
    if field == "uuid":
        return "tasks.uuid"
    return f"json_extract(CAST(tasks.json AS TEXT), '$.{field}')"


def _order(ordering: tuple[tuple[str, bool], ...]) -> list[tuple[str, bool]]:
    """Among equals, the order of creation, which is that of the ids, decides; it turns around with the first field."""
    columns = list(ordering)
    last = ("id", ordering[0][1])
    if columns[-1] == ("time_created", ordering[0][1]):
        columns.pop()  # the ids say it
    return columns if last in columns else [*columns, last]


def _is_filtered(query: TaskQuery) -> bool:
    return query.completed is not None or bool(query.search)


def delete_tasks(connection: sqlite3.Connection, user_id: int) -> None:
    """Delete all of a user's tasks. Raises UserGone."""
    values = {"user_id": user_id, "unsettled": ids_text(read_feed(connection, user_id).unsettled)}
    of_user = f"user_id = :user_id AND id IN ({_IDS})"
    connection.execute(
        f"DELETE FROM brought_uuids WHERE uuid IN (SELECT uuid FROM tasks WHERE {of_user})", values
    )
    connection.execute(f"DELETE FROM tasks WHERE {of_user}", values)
    connection.execute("DELETE FROM user_tasks WHERE user_id = :user_id", values)
