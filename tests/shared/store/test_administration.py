"""What an operator asks of a store: counts, all users, disabled ones."""

from __future__ import annotations

from shared.store import Store
from tests.shared.store.owner import LATER, PATIENCE, READING, Owner, new_owner, reading_at

SECONDS = READING.time


async def test_totals_count_what_there_is(store: Store) -> None:
    assert (await store.totals())._replace(size=0) == (0, 0, 0, 0, 0, 0)
    ada, bob = await new_owner(store, "ada"), await new_owner(store, "bob")
    task = await ada.create()
    await ada.update(task.uuid, "b")
    await bob.create()
    for sid in ("one", "two"):
        await ada.begin(sid)
    await ada.end("one")
    await store.set_active(bob.id, False, READING)
    totals = await store.totals()
    assert totals._replace(size=0) == (2, 1, 2, 3, 1, 0)
    assert totals.size > 0


async def test_all_users_page_by_page(store: Store) -> None:
    owners = [await new_owner(store, name) for name in ("a", "b", "c")]
    await owners[1].create()
    first = await store.accounts(0, 2)
    assert [(account.user, account.tasks, account.seq) for account in first] == [
        (owners[0].user, 0, 0),
        (owners[1].user, 1, 1),
    ]
    rest = await store.accounts(first[-1].user.id, 2)
    assert [account.user for account in rest] == [owners[2].user]
    assert await store.accounts(owners[2].id, 2) == []


async def test_a_disabled_user_is_inactive_and_not_revoked(owner: Owner) -> None:
    """So that their tokens are refused for that reason."""
    await owner.begin("one")
    assert await owner.store.set_active(owner.id, False, READING)
    status = await owner.status("one")
    assert (status.user.is_active, status.revoked) == (False, False)
    assert await owner.store.ended_tokens([owner.access_token("one")]) == [owner.access_token("one")]


async def test_tokens_from_before_stay_ended_when_the_user_is_enabled_again(
    owner: Owner, stranger: Owner
) -> None:
    for author in (owner, stranger):
        await author.begin(f"{author.id}")
    await owner.store.set_active(owner.id, False, READING)
    assert await owner.store.set_active(owner.id, True, reading_at(5))
    assert (await owner.status(None)).user.is_active
    assert await owner.is_revoked(f"{owner.id}")
    assert await owner.is_revoked(None, issued=SECONDS + 5)
    assert not await owner.is_revoked(None, issued=SECONDS + 6)
    assert not await stranger.is_revoked(f"{stranger.id}")
    await owner.begin("new")
    assert not await owner.is_revoked("new")


async def test_to_enable_a_user_who_is_active_ends_nothing(owner: Owner) -> None:
    await owner.begin("one")
    assert await owner.store.set_active(owner.id, True, READING)
    assert not await owner.is_revoked("one")


async def test_a_user_who_is_not_there_cannot_be_disabled(store: Store) -> None:
    assert not await store.set_active(123, False, READING)


async def test_tokens_of_an_operator_leave_no_address(owner: Owner) -> None:
    await owner.store.begin_family("one", owner.user, LATER, None, READING, PATIENCE)
    assert not await owner.is_revoked("one")
    assert not (await owner.store.login_record(owner.user.username, "")).knows_address
