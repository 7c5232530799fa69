"""The SQL of task lists."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Sequence
from typing import Any

import msgspec

from shared.errors import UserGone
from shared.models import Task, TaskPage, TaskQuery
from shared.rules.search_terms import has_all
from shared.store.postgres.pool import Connection

_decode = msgspec.json.Decoder(Task).decode


async def read_list(connection: Connection, user_id: int, query: TaskQuery) -> TaskPage:
    """The list and its ``seq`` are of one state: one statement reads both. Raises UserGone."""
    statement = _statement(query.completed is not None, bool(query.search), query.ordering)
    values: list[Any] = [user_id]
    if query.completed is not None:
        values.append(query.completed)
    if not query.search:  # a search is done here, and then the page is cut from what it has found
        values += [query.limit, query.offset]
    row = await connection.fetchrow(statement, *values)
    if row is None:
        raise UserGone
    seq, count, page = row
    if query.search:
        found = await asyncio.to_thread(_search, page, "\0".join(query.search))
        end = None if query.limit is None else query.offset + query.limit
        page, count = found[query.offset : end], len(found)
    return TaskPage(b"[%b]" % b",".join(page), count, seq)


def _search(tasks: Sequence[bytes], terms: str) -> list[bytes]:
    """Whether texts match is decided by the rule that all engines share."""
    found = []
    for json in tasks:
        task = _decode(json)
        if has_all(task.task, task.description, terms):
            found.append(json)
    return found


@functools.lru_cache(maxsize=64)
def _statement(is_completed: bool, is_searched: bool, ordering: tuple[tuple[str, bool], ...]) -> str:
    where = "tasks.user_id = $1"
    if is_completed:
        where += " AND (convert_from(json, 'UTF8')::jsonb -> 'completed')::boolean = $2"
    order = ", ".join(f"{column} {'DESC' if descends else 'ASC'}" for column, descends in _order(ordering))
    page = f"SELECT json FROM tasks WHERE {where} ORDER BY {order}"
    if is_searched:
        count = "0::bigint"
    else:
        first = 3 if is_completed else 2
        page += f" LIMIT ${first}::bigint OFFSET ${first + 1}::bigint"
        count = f"(SELECT count(*) FROM tasks WHERE {where})" if is_completed else "feeds.tasks"
    return f"SELECT feeds.seq, {count}, ARRAY({page}) FROM feeds WHERE feeds.user_id = $1"


def _order(ordering: tuple[tuple[str, bool], ...]) -> list[tuple[str, bool]]:
    """Among equals, the order of creation decides; it turns around with the first field."""
    last = ("id", ordering[0][1])
    columns: list[tuple[str, bool]] = []
    for field, descends in ordering if last in ordering else (*ordering, last):
        if field == "id":
            columns += [("tasks.created", descends), ("tasks.seq", descends)]
        else:
            columns.append(("tasks.created" if field == "time_created" else _column(field), descends))
    return columns


def _column(field: str) -> str:
    """A field of a task, in the order of its bytes."""
    if field == "uuid":
        return "tasks.uuid"
    value = f"convert_from(tasks.json, 'UTF8')::jsonb ->> '{field}'"
    if field == "completed":
        return f"({value})::boolean"
    return f"({value})::bigint" if field in ("rev", "user_id") else f'({value}) COLLATE "C"'
