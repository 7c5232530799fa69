"""The tail of the log: all users' changes and revocations, at positions that follow one another without a gap."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared.errors import NotFound
from shared.feed.log import Position
from shared.models import Change, CreateTask, DeleteTask, Revocation, UpdateTask
from shared.store import Store
from shared.store.sqlite.store import SqliteStore
from tests.shared.store.owner import (
    ENOUGH,
    GRACE,
    MISSING,
    NOW,
    READING,
    Owner,
    new_owner,
)
from tests.shared.store.sqlite.engine import SqliteEngine
from tests.shared.store.sqlite.sqlite_file import as_sqlite

A = "aaaaaaaa-0000-4000-8000-000000000000"
B = "bbbbbbbb-0000-4000-8000-000000000000"


@pytest.fixture
async def store(engine: SqliteEngine) -> AsyncIterator[SqliteStore]:
    async with engine.open() as store:
        yield as_sqlite(store)


async def _fill(owner: Owner, changes: int) -> None:
    await owner.write(*[CreateTask(None, str(number)) for number in range(changes)])


async def test_tail_gives_all_users_changes_in_the_order_of_the_commits(
    store: SqliteStore, owner: Owner, stranger: Owner
) -> None:
    start = await store.position()
    written = []
    for author in (owner, stranger, stranger, owner):
        written += await author.write(CreateTask(None, "a"), CreateTask(None, "b"))
    tail = await store.tail(start)
    assert tail.changes == [result.change for result in written]
    positions = tail.positions
    assert positions == sorted(set(positions))
    assert tail.position.changes == positions[-1] == (await store.position()).changes
    assert (tail.revocations, tail.more) == ([], False)


async def test_tail_at_the_end_stays_where_it_is(store: SqliteStore, owner: Owner) -> None:
    await owner.create()
    end = await store.position()
    tail = await store.tail(end)
    assert (tail.changes, tail.revocations, tail.position, tail.more) == ([], [], end, False)


async def test_long_tail_comes_in_pages_that_skip_nothing(store: SqliteStore, owner: Owner) -> None:
    start = await store.position()
    await _fill(owner, 2_500)
    position, seqs, pages, more = start, list[int](), 0, True
    while more:
        tail = await store.tail(position)
        seqs += [change.seq for change in tail.changes]
        position, more, pages = tail.position, tail.more, pages + 1
    assert seqs == list(range(1, 2_501))
    assert pages > 1
    assert position == await store.position()


async def test_position_of_an_empty_log_is_its_beginning(store: SqliteStore) -> None:
    assert await store.position() == Position(0, 0)


async def test_positions_of_a_deleted_users_changes_are_never_given_again(
    store: SqliteStore, owner: Owner, stranger: Owner
) -> None:
    await owner.create()
    reader = await store.position()
    gone = await new_owner(owner.store)
    await _fill(gone, 5)
    last = await store.position()
    await store.delete_user(gone.user, READING)
    assert (await store.position()).changes == last.changes
    [after] = await stranger.write(CreateTask(None, "after"))
    assert after.change is not None
    tail = await store.tail(reader)
    assert tail.positions > [last.changes]
    assert tail.changes == [after.change]
    assert tail.revocations == [Revocation(gone.id, None)]


async def test_refused_write_leaves_no_hole_in_the_positions(store: SqliteStore, owner: Owner) -> None:
    """What a process has committed itself it hands on without reading, as long as nothing is missing."""
    await owner.create()
    before = await store.position()
    with pytest.raises(NotFound):
        await owner.write(CreateTask(None, "rolled back"), UpdateTask(MISSING))
    [after] = await owner.write(CreateTask(None, "after"))
    tail = await store.tail(before)
    assert (tail.changes, tail.positions) == ([after.change], [before.changes + 1])


async def test_revocations_stand_in_the_tail_beside_the_changes(store: SqliteStore, owner: Owner) -> None:
    start = await store.position()
    for sid in ("one", "two"):
        await owner.begin(sid)
    await owner.end("two")
    await owner.create()
    await store.set_password(owner.user, "another", READING)
    tail = await store.tail(start)
    assert tail.revocations == [Revocation(owner.id, "two"), Revocation(owner.id, None)]
    assert len(tail.changes) == 1
    assert (await store.tail(tail.position)).revocations == []


async def test_family_is_announced_as_revoked_once(store: SqliteStore, owner: Owner) -> None:
    await owner.begin("one")
    start = await store.position()
    await owner.end("one")
    await owner.end("one")
    await owner.end("never there")
    assert (await store.tail(start)).revocations == [Revocation(owner.id, "one")]


async def test_positions_of_a_group_have_no_gap_whoever_is_refused(
    engine: SqliteEngine, store: SqliteStore, owner: Owner, stranger: Owner
) -> None:
    start = await store.position()
    attempts = [
        (owner, stranger)[number % 2].write(
            *[CreateTask(None, "a")] * (number % 4), *([DeleteTask(MISSING)] if number % 3 == 0 else [])
        )
        for number in range(60)
    ]
    outcomes = await engine.in_one_group(store, *attempts)
    written = [result for outcome in outcomes if isinstance(outcome, list) for result in outcome]
    tail = await store.tail(start)
    positions = tail.positions
    assert positions == list(range(start.changes + 1, start.changes + 1 + len(written)))
    assert (await store.position()).changes == positions[-1]
    assert tail.changes == [result.change for result in written]
    assert await owner.log() == [change for change in tail.changes if change.user_id == owner.id]


async def test_group_of_refusals_alone_writes_nothing(
    engine: SqliteEngine, store: SqliteStore, owner: Owner
) -> None:
    start = await store.position()
    outcomes = await engine.in_one_group(store, *(owner.delete(MISSING) for _ in range(5)))
    assert {type(outcome) for outcome in outcomes} == {NotFound}
    assert await store.position() == start


async def test_positions_of_two_stores_are_one_order(store: SqliteStore, elsewhere: Store) -> None:
    second = as_sqlite(elsewhere)
    owners = [await new_owner(store), await new_owner(store)]
    start = await store.position()
    changes = []
    for number in range(30):
        writer = (store, second)[number % 3 == 0]
        written = await writer.write(owners[number % 2].id, CreateTask(None, "a"), now=NOW, max_tasks=ENOUGH)
        changes.append(written.change)
    tail = await store.tail(start)
    assert tail.positions == list(range(start.changes + 1, start.changes + 31))
    assert tail.changes == (await second.tail(start)).changes == changes


async def test_changes_of_many_writers_are_heard_in_the_order_of_the_tail(
    store: SqliteStore, owner: Owner, stranger: Owner
) -> None:
    start = await store.position()
    heard: list[Change] = []
    store.listen(lambda commit: heard.extend(commit.changes))
    authors = [owner, stranger] * 50
    await asyncio.gather(
        *(author.write(*[CreateTask(None, "a")] * (index % 3 + 1)) for index, author in enumerate(authors))
    )
    assert heard == (await store.tail(start)).changes


async def test_reuse_after_the_grace_is_announced(store: SqliteStore, owner: Owner) -> None:
    await owner.begin("one")
    await owner.begin("two")
    await owner.rotate("one", "first", 0)
    await owner.rotate("one", "second", GRACE)
    start = await store.position()
    await owner.rotate("one", "first", GRACE + 1)
    await owner.rotate("one", "second", GRACE + 1)
    assert [revocation.sid for revocation in (await store.tail(start)).revocations] == ["one"]


async def test_deleted_user_leaves_no_changes_in_the_tail(store: SqliteStore) -> None:
    gone = await new_owner(store)
    task = await gone.create()
    await gone.update(task.uuid, "b")
    start = await store.position()
    await store.delete_user(gone.user, READING)
    assert (await store.tail(start._replace(changes=0))).changes == []


async def test_user_who_is_deleted_in_the_middle_leaves_only_what_others_wrote(
    engine: SqliteEngine, store: SqliteStore, owner: Owner, stranger: Owner
) -> None:
    gone = await new_owner(store)
    start = await store.position()
    await engine.in_one_group(
        store,
        gone.create("a", uuid=A),
        owner.create("mine"),
        store.delete_user(gone.user, READING),
        gone.create("b", uuid=B),
        stranger.create("theirs", uuid=A),
        owner.create("mine again"),
    )
    tail = await store.tail(start)
    assert [position - start.changes for position in tail.positions] == [2, 3, 4]
    assert {change.user_id for change in tail.changes} == {owner.id, stranger.id}
