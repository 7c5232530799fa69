"""What a transaction decides it writes at its end: requests of one group see one another, and tables come out right."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Coroutine
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import clock
from shared.clock import TURNS, moment, moment_of, uuid7
from shared.errors import Conflict, LimitReached, NotFound, TaskbeamError, UserGone, ValidationFailed
from shared.models import CreateTask, DeleteTask, TaskQuery, UpdateTask, Write, Written
from shared.store import Store, open_store
from shared.store.sqlite import accounts as accounts_sql
from shared.store.sqlite import log as change_log
from shared.store.sqlite import tasks as tasks_sql
from shared.store.sqlite import unit_of_work
from shared.store.sqlite.checkpoints import Checkpoints
from shared.store.sqlite.lanes import Outcome, Work
from shared.store.sqlite.lists import read_list
from shared.store.sqlite.migrate import migrate
from shared.store.sqlite.open_files import OpenFiles
from shared.store.sqlite.unit_of_work import UNSETTLED_MAX, BatchRequest, WriteRequest
from shared.store.sqlite.writer import GroupCommit, WriteLock
from tests.shared.store.engines import engine_settings
from tests.shared.store.owner import MISSING, NOW, READING, SECOND, Owner, listed, new_owner, user_of
from tests.shared.store.sqlite.sqlite_file import Statements, as_writer, assert_sound
from tests.support.change_links import assert_change_links
from tests.support.task_index import assert_task_index

A = "aaaaaaaa-0000-4000-8000-000000000000"
B = "bbbbbbbb-0000-4000-8000-000000000000"
C = "cccccccc-0000-4000-8000-000000000000"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """Checked at its end."""
    async with open_store(engine_settings("sqlite", tmp_path)) as store:
        yield store
    assert_sound(tmp_path / "taskbeam.db")


async def in_one_group(store: Store, *attempts: Coroutine[Any, Any, Any]) -> list[Any]:
    """Their results, or the errors that they were refused with."""
    statements = Statements()
    await statements.watch_writer(store)
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert (statements.count("BEGIN IMMEDIATE"), statements.count("COMMIT")) == (1, 1)
    for outcome in outcomes:
        assert not isinstance(outcome, BaseException) or isinstance(outcome, TaskbeamError)
    return outcomes


async def _modes(owner: Owner) -> list[str]:
    return [change.mode for change in await owner.log()]


# One task


@pytest.mark.parametrize("existed", [False, True])
async def test_task_that_lives_for_one_batch_leaves_its_changes(owner: Owner, existed: bool) -> None:
    if existed:
        await owner.create("before", uuid=A)
        await owner.delete(A)
    written = await owner.write(CreateTask(A, "a"), UpdateTask(A, "b", rev=1), DeleteTask(A, rev=2))
    assert [(result.task.decode().task, result.task.rev) for result in written] == [
        ("a", 1),
        ("b", 2),
        ("b", 2),
    ]
    assert await owner.tasks() == []
    assert (await _modes(owner))[-3:] == ["create", "update", "delete"]


async def test_task_that_lives_for_one_group_leaves_its_changes(owner: Owner) -> None:
    created, updated, deleted, late = await in_one_group(
        owner.store,
        owner.create("a", uuid=A),
        owner.update(A, "b", rev=1),
        owner.delete(A, rev=2),
        owner.update(A, "c"),
    )
    assert (created.rev, updated.rev, deleted) == (1, 2, updated)
    assert isinstance(late, NotFound)
    assert await owner.tasks() == []
    assert await _modes(owner) == ["create", "update", "delete"]


async def test_stored_task_goes_through_a_group_as_through_many(owner: Owner) -> None:
    await owner.create("stored", uuid=A)
    outcomes = await in_one_group(
        owner.store,
        owner.update(A, "b", rev=1, now=NOW + SECOND),
        owner.update(A, "never", rev=1),
        owner.update(A, "c", rev=2, now=NOW + 2 * SECOND),
        owner.create("replayed", uuid=A),
    )
    assert isinstance(outcomes[1], Conflict)
    assert outcomes[1].extra["task"] == outcomes[0]
    assert outcomes[2] == outcomes[3] == await owner.read(A)
    assert (outcomes[2].task, outcomes[2].rev) == ("c", 3)


@pytest.mark.parametrize("stored", [False, True])
async def test_uuid_may_be_taken_again_in_the_same_batch(owner: Owner, stored: bool) -> None:
    first = [] if stored else [CreateTask(A, "old")]
    if stored:
        await owner.create("old", uuid=A)
    await owner.write(*first, UpdateTask(A, "older"), DeleteTask(A), CreateTask(A, "new"))
    [task] = await owner.tasks()
    assert (task.task, task.rev) == ("new", 1)
    updated = await owner.update(A, "newer", rev=1)
    assert await owner.tasks() == [updated]
    await owner.delete(A)
    assert await owner.tasks() == []


@pytest.mark.parametrize("stored", [False, True])
async def test_uuid_may_be_taken_again_in_the_same_group(owner: Owner, stored: bool) -> None:
    if stored:
        await owner.create("old", uuid=A, now=NOW - SECOND)
    *_, created, updated = await in_one_group(
        owner.store,
        owner.create("old", uuid=A),
        owner.delete(A),
        owner.create("new", uuid=A, now=NOW + SECOND),
        owner.update(A, "newer", rev=1, now=NOW + 2 * SECOND),
    )
    assert (created.task, created.rev) == ("new", 1)
    assert await owner.tasks() == [updated]
    assert (updated.time_created, updated.rev) == (created.time_created, 2)


async def test_uuid_may_be_taken_by_another_user_once_it_is_free(owner: Owner, stranger: Owner) -> None:
    await owner.create("mine", uuid=A)
    outcomes = await in_one_group(
        owner.store,
        stranger.create("too early", uuid=A),
        stranger.delete(A),
        owner.delete(A),
        stranger.create("theirs", uuid=A),
        owner.read(A),
        owner.update(A, "not mine any more"),
        owner.create("nor this", uuid=A),
    )
    assert [type(outcome) for outcome in outcomes if isinstance(outcome, TaskbeamError)][:2] == [
        ValidationFailed,
        NotFound,
    ]
    assert isinstance(outcomes[5], NotFound)
    assert isinstance(outcomes[6], ValidationFailed)
    assert await owner.tasks() == []
    assert [task.task for task in await stranger.tasks()] == ["A stranger's own", "theirs"]


@pytest.mark.parametrize("stored", [False, True])
async def test_task_made_anew_comes_after_those_made_before_it(owner: Owner, stored: bool) -> None:
    """Tasks of one moment are listed in the order of their creation, and it is the later creation that counts."""
    if stored:
        await owner.write(CreateTask(A, "first"), CreateTask(B, "second"))
        await owner.write(DeleteTask(A), CreateTask(C, "third"), CreateTask(A, "anew"))
    else:
        await owner.write(
            CreateTask(A, "first"),
            CreateTask(B, "second"),
            DeleteTask(A),
            CreateTask(C, "third"),
            CreateTask(A, "anew"),
        )
    assert [task.task for task in await owner.tasks()] == ["second", "third", "anew"]


# Refusals


async def test_batch_that_fails_after_all_that_leaves_what_was_there(owner: Owner) -> None:
    stored = await owner.create("stored", uuid=A)
    refused, updated, created = await in_one_group(
        owner.store,
        owner.write(
            UpdateTask(A, "b"),
            DeleteTask(A),
            CreateTask(A, "anew"),
            CreateTask(B, "b"),
            UpdateTask(B, "c"),
            DeleteTask(MISSING),
        ),
        owner.update(A, "after", rev=1),
        owner.create("mine", uuid=B),
    )
    assert isinstance(refused, NotFound)
    assert refused.extra["op"] == 5
    assert (updated.time_created, updated.rev) == (stored.time_created, 2)
    assert await owner.tasks() == [updated, created]
    assert await owner.seq() == 3


async def test_failing_batch_undoes_itself_and_not_what_the_group_did_before(owner: Owner) -> None:
    created, refused, updated = await in_one_group(
        owner.store,
        owner.create("a", uuid=A),
        owner.write(UpdateTask(A, "never"), DeleteTask(A), UpdateTask(A, "nor this")),
        owner.update(A, "b", rev=1),
    )
    assert isinstance(refused, NotFound)
    assert created.rev == 1
    assert await owner.tasks() == [updated]
    assert await owner.seq() == 2


async def test_conflict_in_a_batch_carries_what_the_group_made_of_the_task(owner: Owner) -> None:
    await owner.create("stored", uuid=A)
    updated, refused = await in_one_group(
        owner.store,
        owner.update(A, "by the group"),
        owner.write(UpdateTask(A, "never"), UpdateTask(A, "nor this", rev=2)),
    )
    assert refused.extra == {"op": 1, "task": updated}
    assert await owner.tasks() == [updated]


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


async def test_limit_counts_what_the_group_has_made_and_deleted(owner: Owner) -> None:
    outcomes = await in_one_group(
        owner.store,
        owner.write(CreateTask(A, "a"), max_tasks=1),
        owner.write(CreateTask(B, "b"), max_tasks=1),
        owner.write(DeleteTask(A), CreateTask(B, "b"), CreateTask(C, "c"), max_tasks=1),
        owner.write(DeleteTask(A), CreateTask(C, "c"), max_tasks=1),
    )
    refused = [isinstance(outcome, LimitReached) for outcome in outcomes]
    assert refused == [False, True, True, False]
    assert [task.uuid for task in await owner.tasks()] == [C]


async def test_positions_of_a_group_have_no_gap_whoever_is_refused(owner: Owner, stranger: Owner) -> None:
    start = (await owner.store.position()).changes
    attempts = [
        (owner, stranger)[number % 2].write(
            *[CreateTask(None, "a")] * (number % 4), *([DeleteTask(MISSING)] if number % 3 == 0 else [])
        )
        for number in range(60)
    ]
    outcomes = await in_one_group(owner.store, *attempts)
    written = [result for outcome in outcomes if isinstance(outcome, list) for result in outcome]
    positions = [result.change.position for result in written]
    assert positions == list(range(start + 1, start + 1 + len(written)))
    assert (await owner.store.position()).changes == positions[-1]
    assert [change.position for change in await owner.log()] == [
        result.change.position for result in written if result.change.user_id == owner.id
    ]


async def test_group_of_refusals_alone_writes_nothing(owner: Owner) -> None:
    start = await owner.store.position()
    outcomes = await in_one_group(owner.store, *(owner.delete(MISSING) for _ in range(5)))
    assert {type(outcome) for outcome in outcomes} == {NotFound}
    assert await owner.store.position() == start


# Ids and places


async def test_refused_batch_leaves_nothing_in_the_order_of_tasks(owner: Owner) -> None:
    refused, created = await in_one_group(
        owner.store,
        owner.write(*[CreateTask(None, "never")] * 2 * UNSETTLED_MAX, DeleteTask(MISSING)),
        owner.create(),
    )
    assert isinstance(refused, NotFound)
    assert await owner.tasks() == [created]


async def test_as_many_tasks_of_one_microsecond_as_there_may_be_stand_in_their_order(
    owner: Owner, stranger: Owner
) -> None:
    """And more: those after them get an id of the next microsecond, and keep their time."""
    made: list[str] = []
    while len(made) < TURNS + 100:
        made += [result.task.uuid for result in await owner.write(*[CreateTask(None, "a")] * 100)]
    theirs = await stranger.create("theirs")
    tasks = await owner.tasks()
    assert [task.uuid for task in tasks] == made
    assert {task.time_created for task in tasks} == {theirs.time_created}
    assert (await stranger.tasks())[1:] == [theirs]


async def test_id_that_is_free_again_may_be_another_users(owner: Owner, stranger: Owner) -> None:
    """The first one's order of tasks may still have it."""
    [last] = (await owner.write(*[CreateTask(None, "a")] * (UNSETTLED_MAX + 1)))[-1:]
    [old] = (await owner.write(CreateTask(None, "a")))[-1:]
    await owner.write(*[CreateTask(None, "later")] * UNSETTLED_MAX, now=NOW + SECOND)
    await owner.delete(old.task.uuid)
    theirs = await stranger.create("theirs")
    assert moment_of(theirs.uuid) == moment_of(old.task.uuid)
    tasks = await owner.tasks()
    assert theirs.uuid not in [task.uuid for task in tasks]
    assert tasks[UNSETTLED_MAX].uuid == last.task.uuid
    await owner.store.delete_user(owner.user, READING)
    assert (await stranger.tasks())[1:] == [theirs]


async def test_uuid_that_says_another_tasks_id_takes_nothing_from_it(owner: Owner) -> None:
    """A client can choose such a one: it knows when a task was created."""
    await owner.create("first", uuid=A)
    misleading = uuid7(moment(NOW))
    await owner.create("second", uuid=misleading)
    await owner.write(DeleteTask(A), DeleteTask(misleading))
    again = [await owner.create("first again", uuid=A), await owner.create("second again", uuid=misleading)]
    assert await owner.tasks() == again
    _, missing, updated = await in_one_group(
        owner.store, owner.delete(A), owner.delete(uuid7(moment(NOW))), owner.update(misleading, "changed")
    )
    assert isinstance(missing, NotFound)
    assert await owner.tasks() == [updated]
    assert await owner.create(uuid=A) in await owner.tasks()


async def test_id_that_is_free_again_may_come_back_in_one_transaction(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unit_of_work, "UNSETTLED_MAX", 1)
    a, b, c = [(await owner.create(name)).uuid for name in "abc"]
    await owner.delete(a)
    await owner.delete(c)  # its id is in the index, and its removal waits
    await owner.write(DeleteTask(b), CreateTask(None, "with the id of c"), CreateTask(None, "after it"))
    tasks = await owner.tasks()
    assert [task.task for task in tasks] == ["with the id of c", "after it"]
    assert moment_of(tasks[0].uuid) == moment_of(c)


# Accounts among tasks


async def test_user_who_is_deleted_in_the_middle_is_gone_from_there_on(owner: Owner, stranger: Owner) -> None:
    gone = await new_owner(owner.store)
    start = await owner.store.position()
    first, mine, ended, refused, theirs, again = await in_one_group(
        owner.store,
        gone.create("a", uuid=A),
        owner.create("mine"),
        owner.store.delete_user(gone.user, READING),
        gone.create("b", uuid=B),
        stranger.create("theirs", uuid=A),
        owner.create("mine again"),
    )
    assert first.task == "a"
    assert ended is True
    assert isinstance(refused, UserGone)
    assert await owner.tasks() == [mine, again]
    assert (await stranger.tasks())[1:] == [theirs]
    tail = await owner.store.tail(start)
    assert [change.position - start.changes for change in tail.changes] == [2, 3, 4]
    assert {change.user_id for change in tail.changes} == {owner.id, stranger.id}


async def test_user_who_is_deleted_with_a_log_takes_all_of_it_along(owner: Owner) -> None:
    gone = await new_owner(owner.store)
    await gone.write(*[CreateTask(None, "a")] * 150)
    await in_one_group(
        owner.store,
        gone.write(*[CreateTask(None, "a")] * 60),
        owner.create(),
        owner.store.delete_user(gone.user, READING),
    )

    def rows(connection: sqlite3.Connection) -> list[int]:
        return [
            connection.execute(f"SELECT count(*) FROM {table} WHERE user_id = ?", (gone.id,)).fetchone()[0]
            for table in ("tasks", "user_tasks", "changes", "change_marks", "feeds")
        ]

    assert await as_writer(owner.store, rows) == [0, 0, 0, 0, 0]


async def test_account_work_between_a_users_writes_costs_them_nothing(owner: Owner) -> None:
    await owner.create("stored", uuid=A)
    outcomes = await in_one_group(
        owner.store,
        owner.update(A, "b", rev=1),
        owner.store.set_password(owner.user, "another", READING),
        owner.update(A, "c", rev=2),
        owner.store.add_user("new", "new", "hash", NOW),
        owner.store.add_user("new", "new", "hash", NOW),
        owner.delete(A, rev=3),
        owner.create("anew", uuid=A),
    )
    assert isinstance(outcomes[4], ValidationFailed)
    assert await owner.tasks() == [outcomes[6]]
    assert await _modes(owner) == ["create", "update", "update", "delete", "create"]
    fresh = Owner(owner.store, outcomes[3])
    await fresh.create()
    assert await fresh.seq() == 1


# Many rows with one statement


@pytest.mark.parametrize("rows", [1, 3, 4, 5, 15, 16, 17, 63, 64, 65, 85, 100, 148])
async def test_groups_of_every_size_come_out_whole(owner: Owner, stranger: Owner, rows: int) -> None:
    await in_one_group(
        owner.store, *((owner, stranger)[number % 3 == 2].create(str(number)) for number in range(rows))
    )
    mine = [str(number) for number in range(rows) if number % 3 != 2]
    tasks = await owner.tasks()
    assert [task.task for task in tasks] == mine
    assert [change.task_id for change in await owner.log()] == [task.uuid for task in tasks]
    await in_one_group(
        owner.store,
        *(
            owner.update(task.uuid, "changed") if number % 2 else owner.delete(task.uuid)
            for number, task in enumerate(tasks)
        ),
    )
    assert [task.uuid for task in await owner.tasks()] == [task.uuid for task in tasks[1::2]]


async def test_users_who_write_in_one_group_each_have_their_own_counters(store: Store) -> None:
    owners = [await new_owner(store) for _ in range(70)]
    await in_one_group(store, *(owner.create() for owner in owners * 3))
    for owner in owners:
        assert (await owner.seq(), len(await owner.tasks())) == (3, 3)


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
        """As a lane does: begun on the event loop's thread where that may be."""
        finish = self._commit.begin_here(self.connection, group)
        return finish(self.connection) if finish else self._commit.run(self.connection, group)

    def commit_alone(self, work: Work) -> Outcome:
        [outcome] = self._commit.run(self.connection, [work])
        return outcome

    def rows(self) -> dict[str, list[Any]]:
        """Of each table, in the order in which clients see them; where rows are is no matter."""
        return {
            statement: self.connection.execute(statement).fetchall()
            for statement in (
                "SELECT uuid, user_id, json FROM tasks ORDER BY user_id, id",
                "SELECT * FROM changes ORDER BY position",
                "SELECT * FROM change_marks",
                "SELECT user_id, seq, tasks, last FROM feeds ORDER BY user_id",
                "SELECT user_id, sid FROM revocations ORDER BY position",
                "SELECT name, seq FROM sqlite_sequence ORDER BY name",
            )
        }


def _work(piece: Piece, now: int) -> Work:
    user_id, asked = piece
    match asked:
        case "delete the user":
            return lambda unit: accounts_sql.delete_user(
                unit.connection, user_of(unit.connection, user_id), READING
            )
        case "set their password":
            return lambda unit: accounts_sql.set_password(
                unit.connection, user_of(unit.connection, user_id), "another", READING
            )
        case "take the first one's name":
            return lambda unit: accounts_sql.add_user(unit.connection, "0", "0", "hash", now)
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
        patch.setattr(unit_of_work, "MARK_EVERY", 3)
        patch.setattr(unit_of_work, "UNSETTLED_MAX", 2)
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
        patch.setattr(unit_of_work, "UNSETTLED_MAX", 3)
        turn_bits = 2 if tick == 1 else 11
        patch.setattr(clock, "_TURN_BITS", turn_bits)
        living: list[list[tuple[int, int, str]]] = [
            [] for _ in range(USERS)
        ]  # of each user: time, turn, uuid
        # Going on: six in one microsecond, of four turns, and none in the next.
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
            assert_task_index(database.connection, 1 << turn_bits)
            for user, mine in enumerate(living):
                for descends in (False, True):
                    ordering = (("time_created", descends),)
                    page = read_list(database.connection, user + 1, TaskQuery(ordering=ordering))
                    expected = [uuid for _, _, uuid in sorted(mine, reverse=descends)]
                    assert [task.uuid for task in listed(page)] == expected
                for _, _, uuid in mine:
                    assert tasks_sql.read_task(database.connection, user + 1, uuid).uuid == uuid
