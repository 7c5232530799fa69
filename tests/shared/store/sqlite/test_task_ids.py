"""Ids of tasks: in the order of creation, each once, and found by the uuid that contains them or does not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.decisions.tasks import WriteRequest
from shared.errors import NotFound
from shared.models import CreateTask, DeleteTask, TaskQuery, Written
from shared.store import Store
from shared.store.sqlite import tasks as tasks_sql
from shared.store.sqlite import transaction
from shared.store.sqlite.lists import read_list
from shared.store.sqlite.transaction import Work
from shared.uuid7 import TICKS_PER_MICROSECOND, first_tick, uuid7
from tests.shared.store.owner import NOW, Owner, listed
from tests.shared.store.sqlite.engine import SqliteEngine
from tests.shared.store.sqlite.in_memory import USERS, Database
from tests.support.task_index import assert_task_index

A = "aaaaaaaa-0000-4000-8000-000000000000"


@pytest.fixture
async def store(engine: SqliteEngine) -> AsyncIterator[Store]:
    """Checked at its end."""
    async with engine.open() as store:
        yield store
    await engine.assert_sound()


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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("groups")


creates_and_deletes = st.lists(
    st.tuples(
        st.integers(0, USERS - 1),
        st.sampled_from(["create", "create", "create with uuid", "delete"]),
        st.integers(0, 9),
    ),
    max_size=8,
)


@settings(deadline=None, max_examples=150, derandomize=True, database=None)
@given(st.lists(creates_and_deletes, max_size=8), st.sampled_from([-1, 0, 1]))
def test_any_task_is_found_and_stands_in_its_users_order(
    folder: Path, groups: list[list[tuple[int, str, int]]], tick: int
) -> None:
    """Whether its uuid is the store's or the client's, and whether the clock stands, goes on, or goes back."""
    with pytest.MonkeyPatch.context() as patch, closing(Database(folder)) as database:
        patch.setattr(transaction, "PENDING_MAX", 3)
        counter_bits = 2 if tick == 1 else 11
        patch.setattr("shared.uuid7._COUNTER_BITS", counter_bits)
        alive: list[list[tuple[int, int, str]]] = [
            [] for _ in range(USERS)
        ]  # of each user: time, number, uuid
        # Where the clock advances: six tasks in a microsecond that has four ticks, and none in the next one.
        turns, time = count(), (NOW + number // 6 * 2 * tick for number in count())
        for pieces in groups:
            work: list[Work] = []
            ending: list[tuple[int, int, str]] = []
            for user, act, number in pieces:
                mine = alive[user]
                if act != "delete":
                    uuid = f"{user:08x}-0000-4000-8000-{number:012x}" if act == "create with uuid" else None
                    work.append(WriteRequest(user + 1, next(time), 1000, None, CreateTask(uuid, "a")))
                elif ends := [task for task in mine if task not in ending]:
                    ending.append(ends[number % len(ends)])
                    work.append(WriteRequest(user + 1, next(time), 1000, None, DeleteTask(ending[-1][2])))
            for request, outcome in zip(work, database.commit(work).outcomes, strict=True):
                assert isinstance(request, WriteRequest)
                assert isinstance(outcome, Written)
                mine = alive[request.user_id - 1]
                if isinstance(request.operation, DeleteTask):
                    mine[:] = [task for task in mine if task[2] != outcome.task.uuid]
                elif outcome.change is not None:
                    mine.append((request.now, next(turns), outcome.task.uuid))
            assert_task_index(database.connection, 1 << counter_bits)
            for user, mine in enumerate(alive):
                for descends in (False, True):
                    ordering = (("time_created", descends),)
                    page = read_list(database.connection, user + 1, TaskQuery(ordering=ordering))
                    expected = [uuid for _, _, uuid in sorted(mine, reverse=descends)]
                    assert [task.uuid for task in listed(page)] == expected
                for _, _, uuid in mine:
                    assert tasks_sql.read_task(database.connection, user + 1, uuid).uuid == uuid
