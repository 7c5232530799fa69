"""Each user's tasks in their order: the ids in ``user_tasks``, and those that are pending in the user's feed.

To write the index at once would rewrite a page of its own for each user of a group. The feed's row is rewritten anyway,
so new entries wait there until there are some to be merged. An entry is the id of a new task or, negative, of a deleted one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final

from shared.store.sqlite.inserts import insert

PENDING_MAX: Final = 16  # of a user; when there are more, all of them are merged


def add_entries(pending: tuple[int, ...], entries: Iterable[int]) -> tuple[int, ...]:
    """What is pending then, as yet without a bound. An id that comes and goes, or goes and comes again, is no entry."""
    for entry in entries:
        if -entry in pending:
            pending = tuple(other for other in pending if other != -entry)
        else:
            pending = (*pending, entry)
    return pending


def merge_entries(connection: sqlite3.Connection, entries: Iterable[tuple[int, int]]) -> None:
    """Write entries into the index; each with its user."""
    added, removed = [], []
    for user_id, entry in entries:
        if entry > 0:
            added.append((user_id, entry))
        else:
            removed.append((user_id, -entry))
    if removed:
        connection.executemany("DELETE FROM user_tasks WHERE user_id = ? AND id = ?", removed)
    insert(connection, "user_tasks", ("user_id", "id"), added)
