"""What a transaction decides it writes at its end, with few statements, and tables come out right."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.decisions.tasks import BatchRequest, WriteRequest
from shared.errors import NotFound, TaskbeamError
from shared.models import CreateTask, DeleteTask, TaskQuery, UpdateTask, Write, Written
from shared.store import Store
from shared.store.batching import Outcome
from shared.store.sqlite import accounts as accounts_sql
from shared.store.sqlite import log as change_log
from shared.store.sqlite import tasks as tasks_sql
from shared.store.sqlite import transaction
from shared.store.sqlite.checkpoints import Checkpoints
from shared.store.sqlite.group_commit import GroupCommit
from shared.store.sqlite.lists import read_list
from shared.store.sqlite.migrate import migrate
from shared.store.sqlite.open_files import OpenFiles
from shared.store.sqlite.task_index import PENDING_MAX
from shared.store.sqlite.transaction import Work
from shared.store.sqlite.write_lock import WriteLock
from shared.uuid7 import TICKS_PER_MICROSECOND, first_tick, tick_of, uuid7
from tests.shared.store.owner import MISSING, NOW, READING, SECOND, Owner, listed, new_owner
from tests.shared.store.sqlite.engine import SqliteEngine
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


# Ids and places


async def test_refused_batch_leaves_nothing_in_the_order_of_tasks(engine: SqliteEngine, owner: Owner) -> None:
    refused, created = await engine.in_one_group(
        owner.store,
        owner.write(*[CreateTask(None, "never")] * 2 * PENDING_MAX, DeleteTask(MISSING)),
        owner.create(),
    )
    assert isinstance(refused, NotFound)
    assert await owner.tasks() == [created]


async def test_as_many_tasks_of_one_microsecond_as_there_may_be_stand_in_their_order(
    owner: Owner, stranger: Owner
) -> None:
    """And more: those after them get an id of the next microsecond, and keep their time."""
    made: list[str] = []
    while len(made) < TICKS_PER_MICROSECOND + 100:
        made += [result.task.uuid for result in await owner.write(*[CreateTask(None, "a")] * 100)]
    theirs = await stranger.create("theirs")
    tasks = await owner.tasks()
    assert [task.uuid for task in tasks] == made
    assert {task.time_created for task in tasks} == {theirs.time_created}
    assert (await stranger.tasks())[1:] == [theirs]


async def test_id_that_is_free_again_may_be_another_users(owner: Owner, stranger: Owner) -> None:
    """The first one's order of tasks may still have it."""
    [last] = (await owner.write(*[CreateTask(None, "a")] * (PENDING_MAX + 1)))[-1:]
    [old] = (await owner.write(CreateTask(None, "a")))[-1:]
    await owner.write(*[CreateTask(None, "later")] * PENDING_MAX, now=NOW + SECOND)
    await owner.delete(old.task.uuid)
    theirs = await stranger.create("theirs")
    assert tick_of(theirs.uuid) == tick_of(old.task.uuid)
    tasks = await owner.tasks()
    assert theirs.uuid not in [task.uuid for task in tasks]
    assert tasks[PENDING_MAX].uuid == last.task.uuid
    await owner.store.delete_user(owner.user, READING)
    assert (await stranger.tasks())[1:] == [theirs]


async def test_uuid_that_says_another_tasks_id_takes_nothing_from_it(
    engine: SqliteEngine, owner: Owner
) -> None:
    """A client can choose such a one: it knows when a task was created."""
    await owner.create("first", uuid=A)
    misleading = uuid7(first_tick(NOW))
    await owner.create("second", uuid=misleading)
    await owner.write(DeleteTask(A), DeleteTask(misleading))
    again = [await owner.create("first again", uuid=A), await owner.create("second again", uuid=misleading)]
    assert await owner.tasks() == again
    _, missing, updated = await engine.in_one_group(
        owner.store,
        owner.delete(A),
        owner.delete(uuid7(first_tick(NOW))),
        owner.update(misleading, "changed"),
    )
    assert isinstance(missing, NotFound)
    assert await owner.tasks() == [updated]
    assert await owner.create(uuid=A) in await owner.tasks()


async def test_id_that_is_free_again_may_come_back_in_one_transaction(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction, "PENDING_MAX", 1)
    a, b, c = [(await owner.create(name)).uuid for name in "abc"]
    await owner.delete(a)
    await owner.delete(c)  # its id is in the index, and its removal waits
    await owner.write(DeleteTask(b), CreateTask(None, "with the id of c"), CreateTask(None, "after it"))
    tasks = await owner.tasks()
    assert [task.task for task in tasks] == ["with the id of c", "after it"]
    assert tick_of(tasks[0].uuid) == tick_of(c)


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
USERS = 3
numbers = st.integers(1, USERS)
pieces = st.one_of(
    *[st.tuples(numbers, st.lists(operations, min_size=1, max_size=5))] * 8,
    st.tuples(
        numbers, st.sampled_from(["delete the user", "set their password", "take the first one's name"])
    ),
)
Piece = tuple[int, list[Write] | str]


class NoFiles:
    """A database in memory has none."""

    def before_commit(self) -> None: ...
    def after_commit(self) -> None: ...


class Database:
    """A database of its own, through the same group commit as a store's."""

    def __init__(self, folder: Path) -> None:
        self._lock = WriteLock(folder / "lock")
        self._commit = GroupCommit(self._lock, Checkpoints(folder / "no log"), cast("OpenFiles", NoFiles()))
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.connection.execute("PRAGMA foreign_keys = ON")
        migrate(self.connection)
        for number in range(USERS):
            accounts_sql.add_user(self.connection, str(number), str(number), "hash", NOW)

    def close(self) -> None:
        self.connection.close()
        self._lock.close()

    def commit(self, group: list[Work]) -> list[Outcome]:
        """As the writer does: begun on the event loop's thread where that may be."""
        begun = self._commit.begin(self.connection, group)
        if begun is None:
            return self._commit.run(self.connection, group).outcomes
        return self._commit.finish(self.connection, group, begun).outcomes

    def commit_alone(self, work: Work) -> Outcome:
        [outcome] = self._commit.run(self.connection, [work]).outcomes
        return outcome

    def rows(self) -> dict[str, list[Any]]:
        """Of each table, in the order in which clients see them; where rows are is no matter."""
        return {
            statement: self.connection.execute(statement).fetchall()
            for statement in (
                "SELECT uuid, user_id, json FROM tasks ORDER BY user_id, id",
                "SELECT * FROM changes ORDER BY position",
                "SELECT * FROM change_anchors",
                "SELECT user_id, seq, tasks, last FROM feeds ORDER BY user_id",
                "SELECT user_id, sid FROM revocations ORDER BY position",
                "SELECT name, seq FROM sqlite_sequence ORDER BY name",
            )
        }


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
            outcomes = together.commit(group)
            expected = [one_by_one.commit_alone(work) for work in group]
            assert list(map(_comparable, outcomes)) == list(map(_comparable, expected))
            assert together.rows() == one_by_one.rows()
            assert_change_links(together.connection, 3)
            for database in (together, one_by_one):
                assert_task_index(database.connection)


# Any tasks at all, in their places

makes_or_ends = st.lists(
    st.tuples(
        st.integers(0, USERS - 1), st.sampled_from(["make", "make", "bring", "end"]), st.integers(0, 9)
    ),
    max_size=8,
)


@settings(deadline=None, max_examples=150, derandomize=True, database=None)
@given(st.lists(makes_or_ends, max_size=8), st.sampled_from([-1, 0, 1]))
def test_any_task_is_found_and_stands_in_its_users_order(
    folder: Path, groups: list[list[tuple[int, str, int]]], tick: int
) -> None:
    """Whether the store made its uuid or a client brought it, and whether the clock stands, goes on, or goes back."""
    with pytest.MonkeyPatch.context() as patch, closing(Database(folder)) as database:
        patch.setattr(transaction, "PENDING_MAX", 3)
        counter_bits = 2 if tick == 1 else 11
        patch.setattr("shared.uuid7._COUNTER_BITS", counter_bits)
        living: list[list[tuple[int, int, str]]] = [
            [] for _ in range(USERS)
        ]  # of each user: time, number, uuid
        # Where the clock advances: six tasks in a microsecond that has four ticks, and none in the next one.
        turns, time = count(), (NOW + number // 6 * 2 * tick for number in count())
        for pieces in groups:
            work: list[Work] = []
            doomed: list[tuple[int, int, str]] = []
            for user, act, number in pieces:
                mine = living[user]
                if act != "end":
                    uuid = f"{user:08x}-0000-4000-8000-{number:012x}" if act == "bring" else None
                    work.append(WriteRequest(user + 1, next(time), 1000, None, CreateTask(uuid, "a")))
                elif ends := [task for task in mine if task not in doomed]:
                    doomed.append(ends[number % len(ends)])
                    work.append(WriteRequest(user + 1, next(time), 1000, None, DeleteTask(doomed[-1][2])))
            for request, outcome in zip(work, database.commit(work), strict=True):
                assert isinstance(request, WriteRequest)
                assert isinstance(outcome, Written)
                mine = living[request.user_id - 1]
                if isinstance(request.operation, DeleteTask):
                    mine[:] = [task for task in mine if task[2] != outcome.task.uuid]
                elif outcome.change is not None:
                    mine.append((request.now, next(turns), outcome.task.uuid))
            assert_task_index(database.connection, 1 << counter_bits)
            for user, mine in enumerate(living):
                for descends in (False, True):
                    ordering = (("time_created", descends),)
                    page = read_list(database.connection, user + 1, TaskQuery(ordering=ordering))
                    expected = [uuid for _, _, uuid in sorted(mine, reverse=descends)]
                    assert [task.uuid for task in listed(page)] == expected
                for _, _, uuid in mine:
                    assert tasks_sql.read_task(database.connection, user + 1, uuid).uuid == uuid
