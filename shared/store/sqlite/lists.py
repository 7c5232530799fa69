"""The SQL of task lists, as functions of a plain connection."""

from __future__ import annotations

import functools
import sqlite3
from typing import Any, Final

from shared.models import TaskPage, TaskQuery
from shared.store.sqlite.feeds import FeedRow, ids_text, read_feed
from shared.store.sqlite.list_cache import ListCache

SHORT_LIST: Final = 100  # rows

# A user's tasks: those that the index has, and those that it has not yet. An entry of a deleted task joins no row.
_MERGED: Final = "user_tasks AS entry"
_PENDING: Final = "(SELECT :user_id AS user_id, value AS id FROM json_each(:pending)) AS entry"


def read_short_list(
    connection: sqlite3.Connection, cache: ListCache, user_id: int, query: TaskQuery
) -> TaskPage | None:
    """``None`` where more than ``SHORT_LIST`` rows would have to be looked at, or searched. Raises UserGone."""
    if query.search:
        return None
    feed = read_feed(connection, user_id)
    page = cache.get(user_id, query, feed.seq)
    if page is not None:
        return page
    looked_at = feed.tasks
    if query.limit is not None and not _is_filtered(query) and len(_order(query.ordering)) == 1:
        looked_at = min(looked_at, query.offset + query.limit)
    if looked_at > SHORT_LIST:
        return None
    page = _read_list(connection, user_id, feed, query)
    cache.keep(user_id, query, page)
    return page


def read_list(connection: sqlite3.Connection, user_id: int, query: TaskQuery) -> TaskPage:
    """Raises UserGone."""
    return _read_list(connection, user_id, read_feed(connection, user_id), query)


def _read_list(connection: sqlite3.Connection, user_id: int, feed: FeedRow, query: TaskQuery) -> TaskPage:
    is_completed = query.completed is not None
    selected, ordered = _statement(is_completed, bool(query.search), query.ordering, bool(feed.pending))
    values: dict[str, Any] = {
        "user_id": user_id,
        "pending": ids_text(feed.pending),
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
    is_completed: bool, is_searched: bool, ordering: tuple[tuple[str, bool], ...], has_pending: bool
) -> tuple[str, str]:
    """What is asked for, and the same in order, from an offset to a limit."""
    where = "entry.user_id = :user_id AND tasks.user_id = :user_id"
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
        f"SELECT {names} FROM {entries} CROSS JOIN tasks ON tasks.id = entry.id WHERE {where}"
        for entries in ((_MERGED, _PENDING) if has_pending else (_MERGED,))
    )
    return selected, f"{selected} ORDER BY {order} LIMIT :limit OFFSET :offset"


def _column(field: str) -> str:
    """A field of a task, or ``id``, the order of creation. As generated columns they would be computed at every insert."""
    if field == "id":
        return "entry.id"  # the index's: a page from it needs no sorting
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
