"""Each way in which a database does not fit together is found, and a sound one has no fault."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from shared.store.sqlite.integrity import find_faults
from tests.shared.store.owner import new_owner
from tests.shared.store.sqlite.engine import SqliteEngine

CLIENT_UUID = "00000000-0000-4000-8000-000000000001"


@pytest.fixture
async def filled(engine: SqliteEngine) -> Path:
    """Two users: merged and pending entries of the index, an anchor, deleted tasks, a client's uuid, a login."""
    async with engine.open() as store:
        ada, bob = await new_owner(store, "ada"), await new_owner(store, "bob")
        tasks = [await ada.create(f"{number}") for number in range(110)]
        await ada.update(tasks[0].uuid, "other")
        await ada.delete(tasks[1].uuid)
        await ada.create("mine", uuid=CLIENT_UUID)
        await bob.create()
        await bob.begin("one")
    return engine.path


def faults(path: Path, *statements: str) -> list[str]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
        return list(find_faults(connection))


def test_a_sound_database_has_none(filled: Path) -> None:
    assert faults(filled) == []


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("DELETE FROM feeds WHERE user_id = 2", "users without a change counter: 1"),
        ("DELETE FROM changes WHERE user_id = 1 AND seq = 50", "users whose change log has a gap"),
        ("DELETE FROM changes WHERE user_id = 1 AND seq = 1", "users whose change log has a gap"),
        ("UPDATE feeds SET seq = 7 WHERE user_id = 2", "users whose change log has a gap"),
        ("UPDATE changes SET user_id = 9 WHERE user_id = 2", "changes of users who are gone: 1"),
        ("UPDATE changes SET previous = 3 WHERE position = 9", "changes that do not name the one before: 1"),
        ("UPDATE feeds SET last = 1 WHERE user_id = 2", "users whose newest change is not where"),
        ("UPDATE change_anchors SET position = 3", "anchors of the change log that are wrong: 1"),
        ("DELETE FROM change_anchors", "anchors of the change log that are missing: 1"),
        ("UPDATE tasks SET user_id = 9 WHERE user_id = 2", "tasks of users who are gone: 1"),
        ("UPDATE feeds SET tasks = 7 WHERE user_id = 2", "users whose number of tasks is wrong: 1"),
        ("UPDATE feeds SET pending = '[]' WHERE user_id = 2", "tasks that no list shows: 1"),
        ("INSERT INTO user_tasks VALUES (2, 7)", "entries of lists without their task: 1"),
        ("DELETE FROM client_uuids", "tasks that their uuid does not find: 1"),
        ("INSERT INTO client_uuids VALUES ('x', 7)", "uuids without their task: 1"),
        ("UPDATE tasks SET json = x'7b7d' WHERE user_id = 2", "tasks that are not as their newest change"),
        ("DELETE FROM users WHERE id = 2", "feeds: 1 rows whose owner is gone"),
        ("DELETE FROM tasks WHERE user_id = 2", "tasks that are not as their newest change"),
    ],
)
def test_a_fault_is_named(filled: Path, statement: str, fault: str) -> None:
    assert any(found.startswith(fault) for found in faults(filled, statement)), faults(filled)


def _steps(path: Path, tasks: int) -> int:
    """Of SQLite's machine, in hundreds, to look at that many tasks more, whose changes have gaps."""
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {tasks}) "
    uuid = "printf('00000000-0000-4000-9000-%012d', i)"
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        for table, values in (
            ("tasks (id, uuid, user_id, json)", f"i, {uuid}, 1, x'78'"),
            ("client_uuids (uuid, id)", f"{uuid}, i"),
            (
                "changes (user_id, seq, previous, mode, task_id, task)",
                f"1, 1000 + i, 0, 'create', {uuid}, x'78'",
            ),
        ):
            connection.execute(f"INSERT INTO {table} {numbers} SELECT {values} FROM n")
        connection.set_progress_handler(count, 100)
        assert len(list(find_faults(connection))) > 1
        connection.set_progress_handler(None, 0)
        connection.execute("ROLLBACK")
    return steps


def test_four_times_the_tasks_take_about_four_times_the_work(filled: Path) -> None:
    assert _steps(filled, 4000) < 6 * _steps(filled, 1000)


def test_rows_of_an_older_schema_are_not_judged(filled: Path) -> None:
    assert faults(filled, "UPDATE feeds SET tasks = 7", "PRAGMA user_version = 4") == []


def test_a_damaged_file_is_named(filled: Path) -> None:
    with closing(sqlite3.connect(filled)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        page, size = (
            connection.execute(query).fetchone()[0]
            for query in (
                "SELECT rootpage FROM sqlite_schema WHERE name = 'sessions_of_user'",
                "PRAGMA page_size",
            )
        )
    with filled.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\x0a" + bytes(size - 1))  # an index page without entries
    found = faults(filled)
    assert any(fault.startswith("the file is damaged: ") for fault in found), found
