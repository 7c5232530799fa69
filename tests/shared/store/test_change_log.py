"""The log: pages after a cursor, why there may be none, and how long it is."""

from __future__ import annotations

import pytest

from shared.models import CreateTask, UpdateTask
from shared.store import Store
from tests.shared.store.owner import READING, Owner, new_owner


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
    assert await owner.store.count_changes() == (await owner.store.totals()).changes == 10_002


async def test_seqs_are_of_the_users_that_are_asked_for_and_there(store: Store) -> None:
    owners = [await new_owner(store) for _ in range(4)]
    for number, owner in enumerate(owners):
        await _fill(owner, number)
    await store.delete_user(owners[2].user, READING)
    assert await store.seqs([owner.id for owner in owners[1:]]) == {owners[1].id: 1, owners[3].id: 3}
    assert await store.seqs([]) == {}
    assert await store.seqs({owners[1].id: None}.keys()) == {owners[1].id: 1}, "any collection will do"
