"""Users and token families: who is standing, what is revoked, and what a deletion takes along."""

from __future__ import annotations

import pytest

from shared.clock import timestamp
from shared.errors import NotFound, UserGone, ValidationFailed
from shared.models import User
from shared.store import Standing, Store
from tests.shared.store.owner import NOW, SECOND, Owner, new_owner

SECONDS = NOW // SECOND
LATER = SECONDS + 86_400
GRACE = 30


async def _standing(owner: Owner, sid: str | None, issued: int = SECONDS) -> Standing:
    standing = await owner.store.standing(owner.id, sid, issued)
    assert standing is not None
    return standing


async def _revoked(owner: Owner, sid: str | None, issued: int = SECONDS) -> bool:
    return (await _standing(owner, sid, issued)).revoked


async def _begin(owner: Owner, sid: str, expires: int = LATER, now: int = NOW) -> None:
    await owner.store.add_session(sid, owner.user, expires, now)


async def _rotate(owner: Owner, sid: str, jti: str, seconds: int = 0, expires: int = LATER) -> bool:
    return await owner.store.rotate_session(sid, jti, expires, NOW + seconds * SECOND, GRACE)


async def test_user_is_found_by_key(store: Store) -> None:
    user = await store.add_user("Ada", "ada", "hash", NOW)
    assert user == User(user.id, "Ada", "hash", True, timestamp(NOW))
    assert await store.user_by_key("ada") == user
    assert await store.user_by_key("Ada") is None


async def test_key_can_be_taken_once(store: Store) -> None:
    first = await store.add_user("Ada", "ada", "hash", NOW)
    with pytest.raises(ValidationFailed) as failed:
        await store.add_user("ADA", "ada", "another", NOW)
    assert failed.value.errors == {"username": ["A user with that username already exists."]}
    assert await store.user_by_key("ada") == first


async def test_id_of_a_deleted_user_is_never_given_again(store: Store) -> None:
    gone = await store.add_user("Ada", "ada", "hash", NOW)
    await store.delete_user(gone.id, NOW)
    assert (await store.add_user("Ada", "ada", "hash", NOW)).id > gone.id
    assert await store.standing(gone.id, None, SECONDS) is None


async def test_standing_tells_the_user_and_the_newest_seq(owner: Owner) -> None:
    await owner.create()
    await owner.create()
    assert await _standing(owner, None) == Standing(owner.user, revoked=False, seq=2)


async def test_family_stands_from_its_login_to_its_revocation(owner: Owner) -> None:
    await _begin(owner, "one")
    await _begin(owner, "two")
    assert [await _revoked(owner, sid) for sid in ("one", "two", "unknown")] == [False, False, True]
    await owner.store.revoke_session("one", NOW)
    assert [await _revoked(owner, sid) for sid in ("one", "two")] == [True, False]


async def test_family_of_another_user_does_not_stand(owner: Owner, stranger: Owner) -> None:
    await _begin(owner, "one")
    assert await _revoked(stranger, "one")


async def test_expired_families_go_at_the_next_login_and_living_ones_stay(owner: Owner) -> None:
    await _begin(owner, "short", expires=SECONDS + 10)
    await _begin(owner, "long")
    await _begin(owner, "next", now=NOW + 11 * SECOND)
    assert [await _revoked(owner, sid) for sid in ("short", "long", "next")] == [True, False, False]


async def test_rotation_lets_a_family_live_longer(owner: Owner) -> None:
    await _begin(owner, "one", expires=SECONDS + 10)
    assert await _rotate(owner, "one", "first", expires=SECONDS + 100)
    await _begin(owner, "next", now=NOW + 50 * SECOND)
    assert not await _revoked(owner, "one")


async def test_rotation_never_shortens_a_family(owner: Owner) -> None:
    await _begin(owner, "one", expires=SECONDS + 100)
    assert await _rotate(owner, "one", "first", expires=SECONDS + 10)
    await _begin(owner, "next", now=NOW + 50 * SECOND)
    assert not await _revoked(owner, "one")


@pytest.mark.parametrize("seconds", [0, 1, GRACE])
async def test_exchanged_token_may_be_used_again_within_the_grace(owner: Owner, seconds: int) -> None:
    await _begin(owner, "one")
    assert await _rotate(owner, "one", "first")
    assert await _rotate(owner, "one", "first", seconds)
    assert not await _revoked(owner, "one")


async def test_grace_counts_from_the_first_exchange(owner: Owner) -> None:
    await _begin(owner, "one")
    assert await _rotate(owner, "one", "first")
    assert await _rotate(owner, "one", "first", GRACE)
    assert not await _rotate(owner, "one", "first", GRACE + 1)


async def test_reuse_after_the_grace_revokes_the_family(owner: Owner) -> None:
    await _begin(owner, "one")
    await _begin(owner, "two")
    assert await _rotate(owner, "one", "first")
    assert await _rotate(owner, "one", "second", GRACE)
    start = await owner.store.position()
    assert not await _rotate(owner, "one", "first", GRACE + 1)
    assert [await _revoked(owner, sid) for sid in ("one", "two")] == [True, False]
    assert not await _rotate(owner, "one", "second", GRACE + 1)
    assert [revocation.sid for revocation in (await owner.store.tail(start)).revocations] == ["one"]


async def test_revoked_or_unknown_family_cannot_rotate(owner: Owner) -> None:
    await _begin(owner, "one")
    await owner.store.revoke_session("one", NOW)
    assert not await _rotate(owner, "one", "first")
    assert not await _rotate(owner, "unknown", "first")


async def test_login_with_a_password_that_was_changed_meanwhile_fails(owner: Owner) -> None:
    await owner.store.set_password(owner.id, "another", NOW)
    with pytest.raises(UserGone):
        await _begin(owner, "one")
    assert await _revoked(owner, "one")


async def test_new_password_ends_all_tokens_issued_before(owner: Owner, stranger: Owner) -> None:
    for author in (owner, stranger):
        await _begin(author, f"{author.id}")
    await owner.store.set_password(owner.id, "another", NOW + SECOND)
    assert await _revoked(owner, f"{owner.id}")
    assert await _revoked(owner, None, issued=SECONDS + 1)
    assert not await _revoked(owner, None, issued=SECONDS + 2)
    assert not await _revoked(stranger, f"{stranger.id}")
    assert not await _revoked(stranger, None)
    assert (await _standing(owner, None)).user.password == "another"


async def test_family_begun_with_the_new_password_stands(owner: Owner) -> None:
    await owner.store.set_password(owner.id, "another", NOW)
    user = (await _standing(owner, None)).user
    await owner.store.add_session("new", user, LATER, NOW)
    assert not await _revoked(owner, "new")


async def test_deleted_user_leaves_nothing_behind(store: Store) -> None:
    gone = await new_owner(store, "gone")
    task = await gone.create()
    await gone.update(task.uuid, "b")
    await _begin(gone, "one")
    assert await _rotate(gone, "one", "first")
    start = await store.position()
    await store.delete_user(gone.id, NOW)
    assert await store.user_by_key("gone") is None
    assert await store.standing(gone.id, "one", SECONDS) is None
    assert not await store.rotate_session("one", "first", LATER, NOW, GRACE)
    with pytest.raises(NotFound):
        await store.task(gone.id, task.uuid)
    with pytest.raises(UserGone):
        await _begin(gone, "two")
    assert (await store.tail(start._replace(changes=0))).changes == []


async def test_uuids_and_name_of_a_deleted_user_are_free(store: Store) -> None:
    gone = await new_owner(store, "name")
    task = await gone.create()
    await store.delete_user(gone.id, NOW)
    heir = await new_owner(store, "name")
    assert (await heir.create("mine", uuid=task.uuid)).task == "mine"
    assert [change.seq for change in await heir.log()] == [1]


async def test_deleting_one_user_leaves_the_others_alone(owner: Owner, stranger: Owner) -> None:
    task = await owner.create()
    await _begin(owner, "one")
    await stranger.store.delete_user(stranger.id, NOW)
    assert await owner.tasks() == [task]
    assert len(await owner.log()) == 1
    assert not await _revoked(owner, "one")
