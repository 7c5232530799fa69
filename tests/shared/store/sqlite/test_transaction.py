"""What a transaction decides it writes at its end, with few statements, and tables come out right."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.decisions.tasks import BatchRequest, WriteRequest
from shared.errors import TaskbeamError, Unavailable
from shared.feed.log import Position
from shared.models import CreateTask, DeleteTask, UpdateTask, Write
from shared.store import Store
from shared.store.batching import Outcome
from shared.store.sqlite import accounts as accounts_sql
from shared.store.sqlite import log as change_log
from shared.store.sqlite import transaction
from shared.store.sqlite.transaction import Work
from tests.shared.store.owner import NOW, READING, Owner, new_owner
from tests.shared.store.sqlite.engine import SqliteEngine
from tests.shared.store.sqlite.in_memory import USERS, Database, NoFiles
from tests.shared.store.sqlite.sqlite_file import Statements, as_writer, user_of
from tests.support.change_links import assert_change_links
from tests.support.task_index import assert_task_index

A = "aaaaaaaa-0000-4000-8000-000000000000"
B = "bbbbbbbb-0000-4000-8000-000000000000"
C = "cccccccc-0000-4000-8000-000000000000"


@pytest.fixture
async def store(engine: SqliteEngine) -> AsyncIterator[Store]:
    """Checked at its end."""
    async with engine.open() as store:
        yield store
    await engine.assert_sound()


async def test_tasks_of_a_group_are_looked_up_together(owner: Owner) -> None:
    """Those that a client brings, too, and those of a batch."""
    brought = [f"00000000-0000-4000-8000-{number:012x}" for number in range(20)]
    made = [(await owner.create()).uuid for _ in range(20)]
    statements = Statements()
    await statements.watch_writer(owner.store)
    await asyncio.gather(
        *[owner.create(uuid=uuid) for uuid in brought],
        *[owner.update(uuid, "changed") for uuid in made[:10]],
        owner.write(*[DeleteTask(uuid) for uuid in made[10:]]),
    )
    assert statements.count("COMMIT") == 1
    assert sum("tasks.json" in statement for statement in statements.seen) == 2  # by id; by uuids brought


async def test_user_who_is_deleted_with_a_log_takes_all_of_it_along(
    engine: SqliteEngine, owner: Owner
) -> None:
    gone = await new_owner(owner.store)
    await gone.write(*[CreateTask(None, "a")] * 150)
    await engine.in_one_group(
        owner.store,
        gone.write(*[CreateTask(None, "a")] * 60),
        owner.create(),
        owner.store.delete_user(gone.user, READING),
    )

    def rows(connection: sqlite3.Connection) -> list[int]:
        return [
            connection.execute(f"SELECT count(*) FROM {table} WHERE user_id = ?", (gone.id,)).fetchone()[0]
            for table in ("tasks", "user_tasks", "changes", "change_anchors", "feeds")
        ]

    assert await as_writer(owner.store, rows) == [0, 0, 0, 0, 0]


# Any group at all

uuids = st.sampled_from([A, B, C])
operations: st.SearchStrategy[Write] = st.one_of(
    st.builds(CreateTask, uuids, st.just("made")),
    st.builds(UpdateTask, uuids, st.just("changed"), rev=st.none() | st.integers(1, 3)),
    st.builds(DeleteTask, uuids, st.none() | st.integers(1, 3)),
)
numbers = st.integers(1, USERS)
pieces = st.one_of(
    *[st.tuples(numbers, st.lists(operations, min_size=1, max_size=5))] * 8,
    st.tuples(
        numbers, st.sampled_from(["delete the user", "set their password", "take the first one's name"])
    ),
)
Piece = tuple[int, list[Write] | str]


def _work(piece: Piece, now: int) -> Work:
    user_id, asked = piece
    match asked:
        case "delete the user":
            return lambda connection: accounts_sql.delete_user(
                connection, user_of(connection, user_id), READING
            )
        case "set their password":
            return lambda connection: accounts_sql.set_password(
                connection, user_of(connection, user_id), "another", READING
            )
        case "take the first one's name":
            return lambda connection: accounts_sql.add_user(connection, "0", "0", "hash", now)
        case _:
            assert isinstance(asked, list)
            if len(asked) == 1:
                return WriteRequest(user_id, now, 2, user_id, asked[0])
            return BatchRequest(user_id, now, 2, asked)


def _comparable(outcome: Outcome) -> object:
    if isinstance(outcome, TaskbeamError):
        return type(outcome), outcome.message, outcome.extra
    return outcome


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("groups")


@settings(deadline=None, max_examples=150, derandomize=True, database=None)
@given(st.lists(st.lists(pieces, max_size=8), max_size=5), st.integers(0, 1))
def test_any_group_does_what_its_pieces_do_one_by_one(
    folder: Path, groups: list[list[Piece]], tick: int
) -> None:
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setattr(change_log, "ANCHOR_EVERY", 3)
        patch.setattr(transaction, "PENDING_MAX", 2)
        patch.setattr(change_log, "HISTORY", 6)
        together, one_by_one = (stack.enter_context(closing(Database(folder))) for _ in range(2))
        time = count(NOW, tick)  # in one moment, too
        for pieces in groups:
            group = [_work(piece, next(time)) for piece in pieces]
            done = together.commit(group)
            expected = [one_by_one.commit_alone(work) for work in group]
            outcomes = [outcome for alone in expected for outcome in alone.outcomes]
            assert list(map(_comparable, done.outcomes)) == list(map(_comparable, outcomes))
            assert done.changes == [change for alone in expected for change in alone.changes]
            assert done.others == any(alone.others for alone in expected)
            if done.changes:
                assert done.position == min(alone.position for alone in expected if alone.changes)
            assert together.rows() == one_by_one.rows()
            assert_change_links(together.connection, 3)
            for database in (together, one_by_one):
                assert_task_index(database.connection)


def test_changes_around_a_commit_that_could_not_be_checked_are_not_told_as_if_they_followed_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect in the group has each piece committed by itself; the second write's is in the log all the same."""
    checks = count(1)

    def after_commit(files: NoFiles) -> None:
        if next(checks) == 2:
            raise Unavailable("cannot look at the log")

    def defect(connection: sqlite3.Connection) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(NoFiles, "after_commit", after_commit)
    writes = [WriteRequest(1, NOW, 99, None, CreateTask(None, text)) for text in "abc"]
    with closing(Database(tmp_path)) as database:
        done = database.commit([*writes, defect])
        tail = change_log.read_tail(database.connection, Position(0, 0))
    assert [type(outcome).__name__ for outcome in done.outcomes] == [
        *("Written", "Unavailable", "Written", "ZeroDivisionError")
    ]
    assert [change.seq for change in done.changes] == [1, 3]
    assert [change.seq for change in tail.changes] == [1, 2, 3]
    assert done.position == 0
