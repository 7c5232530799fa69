"""A database of each older schema comes up to date with everything in it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from shared.clock import timestamp
from shared.models import Task, TaskQuery, User
from shared.uuid7 import first_tick
from tests.shared.store.owner import NOW, READING, SECOND, Owner, listed
from tests.shared.store.sqlite.engine import SqliteEngine
from tests.shared.store.sqlite.older_schemas import make_schema

RANDOM = "16f894b8-cb89-4672-9561-0b80cc75ae1b"
OTHER = "26f894b8-cb89-4672-9561-0b80cc75ae1b"
NEWEST_FIRST = TaskQuery(ordering=(("time_created", True),))


def _fill_first_version(connection: sqlite3.Connection, tasks: list[tuple[int, Task]]) -> None:
    """Tasks of users 1 and 2, each with its time of creation, in the order in which they were made."""
    for number in (1, 2):
        connection.execute(
            "INSERT INTO users (username, username_key, password, date_joined) VALUES (?, ?, 'hash', ?)",
            (f"user{number}", f"user{number}", timestamp(NOW)),
        )
        connection.execute("INSERT INTO feeds (user_id) VALUES (?)", (number,))
    for created, task in tasks:
        encoded = msgspec.json.encode(task)
        connection.execute(
            "INSERT INTO tasks (uuid, user_id, created, json) VALUES (?, ?, ?, ?)",
            (task.uuid, task.user_id, created, encoded),
        )
        connection.execute(
            """INSERT INTO changes (user_id, seq, previous, mode, task_id, task)
               SELECT user_id, seq + 1, last, 'create', ?, ? FROM feeds WHERE user_id = ?""",
            (task.uuid, encoded, task.user_id),
        )
        connection.execute(
            """UPDATE feeds SET seq = seq + 1, tasks = tasks + 1, last = (SELECT max(position) FROM changes)
               WHERE user_id = ?""",
            (task.user_id,),
        )


@pytest.fixture
def first_version(path: Path) -> dict[int, list[Task]]:
    """Each user's tasks in their order: of one moment and of several, one made when the clock had been set back."""
    moments = [NOW, NOW, NOW, NOW + 1, NOW + SECOND, NOW - SECOND]
    tasks = [
        (
            created,
            Task(
                RANDOM if number == 3 else f"018bcfe5-6800-7{number:03x}-8000-{user:012x}",
                user,
                timestamp(created),
                timestamp(created),
                f"Task {number}",
                "",
                completed=False,
                rev=1,
            ),
        )
        for number, created in enumerate(moments)
        for user in (1, 2)
        if (number, user) != (3, 2)
    ]
    with closing(make_schema(path, 1)) as connection:
        _fill_first_version(connection, tasks)
    in_order = sorted(tasks, key=lambda item: item[0])
    return {user: [task for _, task in in_order if task.user_id == user] for user in (1, 2)}


def _owner(store: object, user: int) -> Owner:
    return Owner(store, User(user, f"user{user}", "hash", True, timestamp(NOW)))  # type: ignore[arg-type]


async def test_tasks_of_the_first_version_keep_their_order_and_are_found(
    engine: SqliteEngine, first_version: dict[int, list[Task]]
) -> None:
    async with engine.open() as store:
        for user, tasks in first_version.items():
            owner = _owner(store, user)
            assert await owner.tasks() == tasks
            assert listed(await store.tasks(user, NEWEST_FIRST)) == tasks[::-1]
            for task in tasks:
                assert await owner.read(task.uuid) == task
            assert {change.task_id for change in await owner.log()} == {task.uuid for task in tasks}
    await engine.assert_sound()


async def test_tasks_of_the_first_version_are_written_like_any_other(
    engine: SqliteEngine, first_version: dict[int, list[Task]]
) -> None:
    first, *others = first_version[1]
    async with engine.open() as store:
        owner, stranger = _owner(store, 1), _owner(store, 2)
        updated = await owner.update(others[0].uuid, "changed", rev=1)
        await owner.delete(first.uuid)
        created = await owner.create("new", now=NOW + 2 * SECOND)
        again = await stranger.create("theirs", uuid=first.uuid, now=NOW + 2 * SECOND)
        assert await owner.tasks() == [updated, *others[1:], created]
        assert await stranger.tasks() == [*first_version[2], again]
        await store.delete_user(stranger.user, READING)
    await engine.assert_sound()


async def test_fourth_version_keeps_its_log_and_the_order_and_uuids_of_its_tasks(
    engine: SqliteEngine, path: Path
) -> None:
    """Whatever the fifth has renamed: one of the tasks is in the index, the other's entry is pending; both uuids are a client's."""
    tasks = [
        Task(uuid, 1, timestamp(NOW), timestamp(NOW), "a", "", completed=False, rev=1)
        for uuid in (RANDOM, OTHER)
    ]
    with closing(make_schema(path, 4)) as connection:
        connection.execute(
            "INSERT INTO users (username, username_key, password, date_joined) VALUES ('user1', 'user1', 'hash', ?)",
            (timestamp(NOW),),
        )
        for number, task in enumerate(tasks):
            encoded = msgspec.json.encode(task)
            place = first_tick(NOW) + number
            connection.execute("INSERT INTO tasks VALUES (?, ?, 1, ?)", (place, task.uuid, encoded))
            connection.execute("INSERT INTO brought_uuids VALUES (?, ?)", (task.uuid, place))
            connection.execute(
                "INSERT INTO changes (user_id, seq, previous, mode, task_id, task, origin) VALUES (1, ?, ?, 'create', ?, ?, 7)",
                (99 + number, number, task.uuid, encoded),
            )
        connection.execute("INSERT INTO user_tasks VALUES (1, ?)", (first_tick(NOW),))
        connection.execute("INSERT INTO feeds VALUES (1, 100, 2, 2, json_array(?))", (first_tick(NOW) + 1,))
        connection.execute("INSERT INTO change_marks VALUES (1, 100, 2)")
    async with engine.open() as store:
        owner = _owner(store, 1)
        assert await owner.tasks() == [await owner.read(RANDOM), await owner.read(OTHER)] == tasks
        page = await store.changes(1, store.epoch, 98, 500)
        assert [(change.seq, change.write_id) for change in page.changes] == [(99, 7), (100, 7)]
        updated = await owner.update(OTHER, "changed", rev=1)
        await owner.delete(RANDOM)
        assert await owner.tasks() == [updated]
