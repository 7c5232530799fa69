"""The log: pages after a cursor, why there may be none, how long it is, and the tail of all users' changes."""

from __future__ import annotations

import pytest

from shared.errors import NotFound
from shared.models import CreateTask, UpdateTask
from shared.store import Position, Revocation, Store
from tests.shared.store.owner import MISSING, READING, Owner, new_owner


async def _fill(owner: Owner, changes: int) -> None:
    await owner.write(*[CreateTask(None, str(number)) for number in range(changes)])


async def test_changes_after_a_cursor_come_in_pages(owner: Owner) -> None:
    await _fill(owner, 7)
    pages = [await owner.store.changes(owner.id, owner.store.epoch, since, 3) for since in (0, 3, 6)]
    assert [[change.seq for change in page.changes] for page in pages] == [[1, 2, 3], [4, 5, 6], [7]]
    assert [(page.seq, page.more, page.reason) for page in pages] == [
        (3, True, None),
        (6, True, None),
        (7, False, None),
    ]


async def test_page_that_ends_at_the_newest_change_has_no_more(owner: Owner) -> None:
    await _fill(owner, 3)
    page = await owner.store.changes(owner.id, owner.store.epoch, 0, 3)
    assert (page.seq, page.more) == (3, False)


@pytest.mark.parametrize("changes", [0, 4])
async def test_cursor_at_the_newest_change_gets_an_empty_page(owner: Owner, changes: int) -> None:
    await _fill(owner, changes)
    page = await owner.store.changes(owner.id, owner.store.epoch, changes, 500)
    assert (page.changes, page.seq, page.more, page.reason) == ([], changes, False, None)


async def test_cursor_beyond_the_newest_change_is_unknown(owner: Owner) -> None:
    await _fill(owner, 2)
    for since in (3, 2**63 - 1):
        page = await owner.store.changes(owner.id, owner.store.epoch, since, 500)
        assert (page.changes, page.seq, page.more, page.reason) == ([], 2, False, "seq_unknown")


@pytest.mark.parametrize("since", [0, 2, 99])
async def test_cursor_of_another_epoch_is_meaningless(owner: Owner, since: int) -> None:
    await _fill(owner, 2)
    page = await owner.store.changes(owner.id, "another", since, 500)
    assert (page.changes, page.seq, page.more, page.reason) == ([], 2, False, "epoch_changed")


async def test_ten_thousand_changes_of_each_user_are_kept_and_at_most_a_hundred_more(
    owner: Owner, stranger: Owner
) -> None:
    task = await owner.create()
    for _ in range(201):
        await owner.write(*[UpdateTask(task.uuid, completed=True)] * 100)
    newest = 20_101
    assert await owner.seq() == newest
    kept = await owner.store.changes(owner.id, owner.store.epoch, newest - 10_000, 500)
    assert kept.reason is None
    assert [change.seq for change in kept.changes] == list(range(newest - 9_999, newest - 9_499))
    for since in (0, newest - 10_100):
        gone = await owner.store.changes(owner.id, owner.store.epoch, since, 500)
        assert (gone.changes, gone.seq, gone.more, gone.reason) == ([], newest, False, "history_gone")
    assert [change.seq for change in await stranger.log()] == [1], "others' changes do not count"


async def test_tail_gives_all_users_changes_in_the_order_of_the_commits(
    owner: Owner, stranger: Owner
) -> None:
    start = await owner.store.position()
    written = []
    for author in (owner, stranger, stranger, owner):
        written += await author.write(CreateTask(None, "a"), CreateTask(None, "b"))
    tail = await owner.store.tail(start)
    assert tail.changes == [result.change for result in written]
    positions = [change.position for change in tail.changes]
    assert positions == sorted(set(positions))
    assert tail.position.changes == positions[-1] == (await owner.store.position()).changes
    assert (tail.revocations, tail.more) == ([], False)


async def test_tail_at_the_end_stays_where_it_is(owner: Owner) -> None:
    await owner.create()
    end = await owner.store.position()
    tail = await owner.store.tail(end)
    assert (tail.changes, tail.revocations, tail.position, tail.more) == ([], [], end, False)


async def test_long_tail_comes_in_pages_that_skip_nothing(owner: Owner) -> None:
    start = await owner.store.position()
    await _fill(owner, 2_500)
    position, seqs, pages, more = start, list[int](), 0, True
    while more:
        tail = await owner.store.tail(position)
        seqs += [change.seq for change in tail.changes]
        position, more, pages = tail.position, tail.more, pages + 1
    assert seqs == list(range(1, 2_501))
    assert pages > 1
    assert position == await owner.store.position()


async def test_position_of_an_empty_log_is_its_beginning(store: Store) -> None:
    assert await store.position() == Position(0, 0)


async def test_positions_of_a_deleted_users_changes_are_never_given_again(
    owner: Owner, stranger: Owner
) -> None:
    await owner.create()
    reader = await owner.store.position()
    gone = await new_owner(owner.store)
    await _fill(gone, 5)
    last = await owner.store.position()
    await owner.store.delete_user(gone.user, READING)
    assert (await owner.store.position()).changes == last.changes
    [after] = await stranger.write(CreateTask(None, "after"))
    assert after.change is not None
    assert after.change.position > last.changes
    tail = await owner.store.tail(reader)
    assert tail.changes == [after.change]
    assert tail.revocations == [Revocation(gone.id, None)]


async def test_refused_write_leaves_no_hole_in_the_positions(owner: Owner) -> None:
    """What a process has committed itself it hands on without reading, as long as nothing is missing."""
    await owner.create()
    before = await owner.store.position()
    with pytest.raises(NotFound):
        await owner.write(CreateTask(None, "rolled back"), UpdateTask(MISSING))
    [after] = await owner.write(CreateTask(None, "after"))
    assert after.change is not None
    assert after.change.position == before.changes + 1


async def test_revocations_stand_in_the_tail_beside_the_changes(owner: Owner) -> None:
    start = await owner.store.position()
    for sid in ("one", "two"):
        await owner.begin(sid)
    await owner.end("two")
    await owner.create()
    await owner.store.set_password(owner.user, "another", READING)
    tail = await owner.store.tail(start)
    assert tail.revocations == [Revocation(owner.id, "two"), Revocation(owner.id, None)]
    assert len(tail.changes) == 1
    assert (await owner.store.tail(tail.position)).revocations == []


async def test_family_is_announced_as_revoked_once(owner: Owner) -> None:
    await owner.begin("one")
    start = await owner.store.position()
    await owner.end("one")
    await owner.end("one")
    await owner.end("never there")
    assert (await owner.store.tail(start)).revocations == [Revocation(owner.id, "one")]
