"""The SQL that reads tasks, as functions of a plain connection."""

from __future__ import annotations

import sqlite3
from typing import Any, Final, NamedTuple

from shared.errors import NotFound, UserGone
from shared.models import StoredTask, TaskPage, TaskQuery

SHORT_LIST: Final = 100  # rows


class Feed(NamedTuple):
    """A user's row of ``feeds``: ``last`` is the position of the newest change."""

    seq: int
    tasks: int
    last: int


def read_feed(connection: sqlite3.Connection, user_id: int) -> Feed:
    """Raises UserGone."""
    rows = connection.execute("SELECT seq, tasks, last FROM feeds WHERE user_id = ?", (user_id,)).fetchall()
    if not rows:
        raise UserGone
    return Feed(*rows[0])


def read_task(connection: sqlite3.Connection, user_id: int, uuid: str) -> StoredTask:
    """Raises NotFound."""
    rows = connection.execute("SELECT user_id, json FROM tasks WHERE uuid = ?", (uuid,)).fetchall()
    if not rows or rows[0][0] != user_id:
        raise NotFound
    return StoredTask(uuid, rows[0][1])


def find_few_tasks(connection: sqlite3.Connection, user_id: int, query: TaskQuery) -> TaskPage | None:
    """``None`` where more than ``SHORT_LIST`` rows would have to be looked at, or searched. Raises UserGone."""
    if query.search:
        return None
    looked_at = read_feed(connection, user_id).tasks
    if query.limit is not None and not _is_filtered(query) and query.ordering[0][0] == "time_created":
        looked_at = min(looked_at, query.offset + query.limit)
    return find_tasks(connection, user_id, query) if looked_at <= SHORT_LIST else None


def find_tasks(connection: sqlite3.Connection, user_id: int, query: TaskQuery) -> TaskPage:
    """Raises UserGone."""
    feed = read_feed(connection, user_id)
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
        f"SELECT json FROM task_fields WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?",
        (*conditions, limit, query.offset),
    ).fetchall()
    if not _is_filtered(query):
        count = feed.tasks
    elif query.limit is None and not query.offset:
        count = len(rows)
    else:
        count = connection.execute(f"SELECT count(*) FROM task_fields WHERE {where}", conditions).fetchall()[
            0
        ][0]
    return TaskPage(b"[%b]" % b",".join([json for (json,) in rows]), count, feed.seq)


def _is_filtered(query: TaskQuery) -> bool:
    return query.completed is not None or bool(query.search)
