"""Which key signed last is one answer for all processes, and stays with the database."""

from __future__ import annotations

from shared.store import Store
from shared.store.records import SigningKey
from tests.shared.store.engine import Engine
from tests.shared.store.owner import READING, new_owner


async def test_new_database_knows_no_key_and_has_no_users(store: Store) -> None:
    assert await store.signing_key() == SigningKey(None, has_users=False)


async def test_latest_key_is_known_to_all_processes_and_kept(engine: Engine) -> None:
    async with engine.open() as store, engine.open() as elsewhere:
        for fingerprint in ("first", "second"):
            await store.set_signing_key(fingerprint)
            assert await elsewhere.signing_key() == SigningKey(fingerprint, has_users=False)
    async with engine.open() as store:
        assert await store.signing_key() == SigningKey("second", has_users=False)


async def test_there_are_users_until_the_last_is_deleted(store: Store) -> None:
    owners = [await new_owner(store) for _ in range(2)]
    for owner in owners:
        assert (await store.signing_key()).has_users
        assert await store.delete_user(owner.user, READING)
    assert not (await store.signing_key()).has_users
