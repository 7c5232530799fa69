"""Where tasks that come from another database go: each at a place of its own, in its user's order, found by its uuid."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import msgspec
import pytest

from shared.clock import timestamp
from shared.store.rows import Row
from shared.store.sqlite.inserts import insert
from shared.store.sqlite.migrate import migrate
from shared.store.sqlite.task_ids import Place
from shared.store.sqlite.task_places import place_tasks
from shared.uuid7 import TICKS_PER_MICROSECOND, first_tick, uuid7
from tests.shared.store.owner import NOW

FIRST = first_tick(NOW)


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        yield connection


def row(user_id: int, uuid: str, created: int = NOW) -> Row:
    return user_id, uuid, msgspec.json.encode({"time_created": timestamp(created)})


def random_uuid(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"


def place(connection: sqlite3.Connection, *rows: Row) -> list[Place]:
    """The places, where the tasks are then."""
    places = place_tasks(connection, rows)
    insert(
        connection,
        "tasks",
        ("id", "uuid", "user_id", "json"),
        [(task_id, uuid, user, json) for (user, uuid, json), (task_id, _) in zip(rows, places, strict=True)],
    )
    entries = [(user, task_id) for (user, _, _), (task_id, _) in zip(rows, places, strict=True)]
    insert(connection, "user_tasks", ("user_id", "id"), entries)
    return places


def test_a_uuid_that_says_the_tasks_id_keeps_it(connection: sqlite3.Connection) -> None:
    rows = [row(1, uuid7(FIRST + 3)), row(1, uuid7(FIRST + 9)), row(2, uuid7(FIRST))]
    assert place(connection, *rows) == [(FIRST + 3, False), (FIRST + 9, False), (FIRST, False)]


def test_the_order_goes_before_what_a_uuid_says(connection: sqlite3.Connection) -> None:
    rows = [row(1, uuid7(FIRST + 9)), row(1, uuid7(FIRST + 3)), row(1, random_uuid(1))]
    assert place(connection, *rows) == [(FIRST + 9, False), (FIRST + 10, True), (FIRST + 11, True)]


@pytest.mark.parametrize("created", [NOW - 1, NOW + 1])
def test_a_uuid_that_says_another_moment_is_a_clients(connection: sqlite3.Connection, created: int) -> None:
    assert place(connection, row(1, uuid7(FIRST), created)) == [(first_tick(created), True)]


def test_an_id_is_given_once(connection: sqlite3.Connection) -> None:
    """On one page, and on several."""
    assert place(connection, row(1, random_uuid(1)), row(2, uuid7(FIRST))) == [
        (FIRST, True),
        (FIRST + 1, True),
    ]
    assert place(connection, row(3, uuid7(FIRST)), row(3, random_uuid(2))) == [
        (FIRST + 2, True),
        (FIRST + 3, True),
    ]


def test_a_page_goes_on_behind_the_user_s_tasks_of_the_page_before(connection: sqlite3.Connection) -> None:
    place(connection, row(1, random_uuid(1)), row(2, random_uuid(2), NOW + 5))
    later = first_tick(NOW + 5)
    assert place(connection, row(2, random_uuid(3)), row(3, random_uuid(4))) == [
        (later + 1, True),
        (FIRST + 1, True),
    ]


def test_the_next_microsecond_has_room_when_one_is_full(connection: sqlite3.Connection) -> None:
    page = TICKS_PER_MICROSECOND // 2
    for number in range(3):
        rows = [row(number % 2, random_uuid(number * page + turn)) for turn in range(page)]
        ids = [task_id for task_id, _ in place(connection, *rows)]
        assert ids == list(range(FIRST + number * page, FIRST + (number + 1) * page))
