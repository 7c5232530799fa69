"""The indexes of tasks: id by uuid, and the ids of each user's tasks in order."""

from __future__ import annotations

import json
import sqlite3

from shared.clock import timestamp
from shared.uuid7 import TICKS_PER_MICROSECOND, tick_of


def assert_task_index(
    connection: sqlite3.Connection, ticks_per_microsecond: int = TICKS_PER_MICROSECOND
) -> None:
    """Assert that both indexes have exactly the tasks that there are.

    A client's uuid, which does not contain the task's id, has a row. A user's index together with the pending entries
    of their feed is exactly their tasks.
    """
    client_uuids, of_user = set[tuple[str, int]](), dict[int, set[int]]()
    for number, uuid, user_id, task in connection.execute("SELECT id, uuid, user_id, json FROM tasks"):
        stored = json.loads(task)
        assert (uuid, user_id) == (stored["uuid"], stored["user_id"]), f"{uuid}, user_id {user_id}: {stored}"
        times = [
            timestamp(number // ticks_per_microsecond - late) for late in (0, 1)
        ]  # the microsecond before, where that one has no tick left
        assert stored["time_created"] in times, f"id {number}, of {times[0]}: {stored}"
        of_user.setdefault(user_id, set()).add(number)
        if tick_of(uuid) != number:
            client_uuids.add((uuid, number))
    noted = set(connection.execute("SELECT uuid, id FROM client_uuids").fetchall())
    assert noted == client_uuids, (
        f"client uuids missing: {client_uuids - noted}, wrong: {noted - client_uuids}"
    )

    index_of = dict[int, set[int]]()
    for user_id, number in connection.execute("SELECT user_id, id FROM user_tasks"):
        index_of.setdefault(user_id, set()).add(number)
    for user_id, count, pending in connection.execute("SELECT user_id, tasks, pending FROM feeds"):
        entries: list[int] = json.loads(pending)
        index = index_of.pop(user_id, set())
        added = {entry for entry in entries if entry > 0}
        removed = {-entry for entry in entries if entry < 0}
        assert len(added) + len(removed) == len(entries), f"index of user {user_id}: twice in {entries}"
        assert removed <= index, f"index of user {user_id}: removed, and never merged: {removed - index}"
        assert not added & index, f"index of user {user_id}: merged already: {added & index}"
        tasks = of_user.pop(user_id, set())
        assert index - removed | added == tasks, f"index of user {user_id}: {index}, {entries}, tasks {tasks}"
        assert count == len(tasks), f"user {user_id}: feeds.tasks is {count}, of {len(tasks)}"
    assert not index_of, f"index entries of deleted users: {index_of}"
    assert not of_user, f"tasks of deleted users: {of_user}"
