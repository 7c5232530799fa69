"""Where tasks are found: by the id that their uuid says or is noted for, and in their user's order."""

from __future__ import annotations

import json
import sqlite3

from shared.clock import TURNS, moment_of, timestamp


def assert_places(connection: sqlite3.Connection, turns: int = TURNS) -> None:
    """Every task has what it is found by, and nothing is left of those that are gone.

    A user's index and what their feed says is not in it yet make exactly the user's tasks.
    """
    brought, of_user = set[tuple[str, int]](), dict[int, set[int]]()
    for number, uuid, user_id, task in connection.execute("SELECT id, uuid, user_id, json FROM tasks"):
        said = json.loads(task)
        assert (uuid, user_id) == (said["uuid"], said["user_id"]), f"{uuid}, user_id {user_id}: {said}"
        moments = [
            timestamp(number // turns - late) for late in (0, 1)
        ]  # when a microsecond's turns are taken
        assert said["time_created"] in moments, f"id {number}, of {moments[0]}: {said}"
        of_user.setdefault(user_id, set()).add(number)
        if moment_of(uuid) != number:
            brought.add((uuid, number))
    noted = set(connection.execute("SELECT uuid, id FROM brought_uuids").fetchall())
    assert noted == brought, f"places: uuids missing: {brought - noted}, wrong: {noted - brought}"

    places = dict[int, set[int]]()
    for user_id, number in connection.execute("SELECT user_id, id FROM user_tasks"):
        places.setdefault(user_id, set()).add(number)
    for user_id, count, unsettled in connection.execute("SELECT user_id, tasks, unsettled FROM feeds"):
        entries: list[int] = json.loads(unsettled)
        index = places.pop(user_id, set())
        added = {entry for entry in entries if entry > 0}
        removed = {-entry for entry in entries if entry < 0}
        assert len(added) + len(removed) == len(entries), f"places of user {user_id}: twice in {entries}"
        assert removed <= index, f"places of user {user_id}: removed, and never settled: {removed - index}"
        assert not added & index, f"places of user {user_id}: settled already: {added & index}"
        tasks = of_user.pop(user_id, set())
        assert index - removed | added == tasks, (
            f"places of user {user_id}: {index}, {entries}, tasks {tasks}"
        )
        assert count == len(tasks), f"user {user_id}: feeds.tasks is {count}, of {len(tasks)}"
    assert not places, f"places of users who are gone: {places}"
    assert not of_user, f"tasks of users who are gone: {of_user}"
