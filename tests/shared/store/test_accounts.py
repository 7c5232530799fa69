"""Users: their names, passwords and addresses, and what a deletion takes along."""

from __future__ import annotations

import pytest

from shared.auth.hash_forms import HashCosts
from shared.clock import timestamp
from shared.errors import NotFound, UserGone, ValidationFailed
from shared.models import User
from shared.store import Store
from tests.shared.store.engine import Engine
from tests.shared.store.owner import (
    LATER,
    NOW,
    PATIENCE,
    READING,
    Owner,
    new_owner,
    reading_at,
)

SECONDS = READING.time
HERE = "192.0.2.1"


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
    gone = Owner(store, await store.add_user("Ada", "ada", "hash", NOW))
    await store.delete_user(gone.user, READING)
    assert (await store.add_user("Ada", "ada", "hash", NOW)).id > gone.id
    assert await store.token_status(gone.access_token(None)) is None


async def test_login_with_a_password_that_was_changed_meanwhile_fails(owner: Owner) -> None:
    await owner.store.set_password(owner.user, "another", READING)
    with pytest.raises(UserGone):
        await owner.begin("one")
    assert await owner.is_revoked("one")


async def test_new_password_ends_all_tokens_issued_before(owner: Owner, stranger: Owner) -> None:
    for author in (owner, stranger):
        await author.begin(f"{author.id}")
    await owner.store.set_password(owner.user, "another", reading_at(1))
    assert await owner.is_revoked(f"{owner.id}")
    assert await owner.is_revoked(None, issued=SECONDS + 1)
    assert not await owner.is_revoked(None, issued=SECONDS + 2)
    assert not await stranger.is_revoked(f"{stranger.id}")
    assert not await stranger.is_revoked(None)
    assert (await owner.status(None)).user.password == "another"


async def test_family_begun_with_the_new_password_stands(owner: Owner) -> None:
    await owner.store.set_password(owner.user, "another", READING)
    user = (await owner.status(None)).user
    await Owner(owner.store, user).begin("new")
    assert not await owner.is_revoked("new")


async def test_deleted_user_leaves_nothing_behind(store: Store) -> None:
    gone = await new_owner(store, "gone")
    task = await gone.create()
    await gone.update(task.uuid, "b")
    await gone.begin("one")
    assert await gone.rotate("one", "first")
    await store.delete_user(gone.user, READING)
    assert await store.user_by_key("gone") is None
    assert await store.token_status(gone.access_token("one")) is None
    assert not await gone.rotate("one", "first")
    with pytest.raises(NotFound):
        await store.task(gone.id, task.uuid)
    with pytest.raises(UserGone):
        await gone.begin("two")


async def test_uuids_and_name_of_a_deleted_user_are_free(store: Store) -> None:
    gone = await new_owner(store, "name")
    task = await gone.create()
    await store.delete_user(gone.user, READING)
    heir = await new_owner(store, "name")
    assert (await heir.create("mine", uuid=task.uuid)).task == "mine"
    assert [change.seq for change in await heir.log()] == [1]


async def test_deleting_one_user_leaves_the_others_alone(owner: Owner, stranger: Owner) -> None:
    task = await owner.create()
    await owner.begin("one")
    await stranger.store.delete_user(stranger.user, READING)
    assert await owner.tasks() == [task]
    assert len(await owner.log()) == 1
    assert not await owner.is_revoked("one")


async def test_one_of_two_new_passwords_for_the_same_old_one_is_refused(owner: Owner) -> None:
    assert await owner.store.set_password(owner.user, "another", READING)
    await owner.begin_as("another", "one")
    assert not await owner.store.set_password(owner.user, "a third", READING)
    assert not await owner.store.delete_user(owner.user, READING)
    await owner.store.renew_hash(owner.user, "the old one, of another cost")
    assert (await owner.status(None)).user.password == "another"
    assert not await owner.is_revoked("one")


async def test_a_renewed_hash_ends_no_token(owner: Owner) -> None:
    await owner.begin("one")
    await owner.store.renew_hash(owner.user, "of another cost")
    assert (await owner.status("one")).user.password == "of another cost"
    assert not await owner.is_revoked("one")
    assert not await owner.is_revoked(None)


async def test_addresses_of_logins_are_known_for_their_user_alone(owner: Owner, stranger: Owner) -> None:
    async def knows(user: Owner, address: str) -> bool:
        return (await owner.store.login_record(user.user.username, address)).knows_address

    assert not await knows(owner, HERE)
    await owner.begin("one")
    await owner.begin("two")
    assert await knows(owner, HERE)
    assert not await knows(owner, "192.0.2.2")
    assert not await knows(stranger, HERE)
    record = await owner.store.login_record("nobody", HERE)
    assert (record.user, record.knows_address) == (None, False)


async def test_of_many_addresses_those_of_the_latest_logins_are_known(owner: Owner) -> None:
    async def log_in(number: int) -> None:
        await owner.store.begin_family(
            f"{number}", owner.user, LATER, f"192.0.2.{number % 100}", READING, PATIENCE
        )

    for number in (*range(30), 100):
        await log_in(number)
    known = [
        (await owner.store.login_record(owner.user.username, f"192.0.2.{number}")).knows_address
        for number in range(30)
    ]
    assert known == [True] + [False] * 10 + [True] * 19


@pytest.mark.parametrize(
    ("hashes", "dearest"),
    [
        ([], HashCosts(0, 0)),
        (
            ["", "!", "hash", "bcrypt", "bcrypt$", "pbkdf2_sha256$", "pbkdf2_sha256$x$", "bcrypt$$2b$xx$"],
            HashCosts(0, 0),
        ),
        (["bcrypt_sha256$$2b$12$a", "bcrypt_sha256$$2b$04$a", "bcrypt$$2a$13$a"], HashCosts(13, 0)),
        (["bcrypt_sha256$$2b$31$a", "bcrypt_sha256$$2b$11$a"], HashCosts(11, 0)),
        (["pbkdf2_sha256$600000$a$b", "pbkdf2_sha256$1000000$a$b"], HashCosts(0, 1_000_000)),
        (["pbkdf2_sha256$999999999$a$b", "pbkdf2_sha256$5$a$b"], HashCosts(0, 5)),
        (["pbkdf2_sha1$7000$a$b", "pbkdf2_sha1$x", "pbkdf2_sha1$99999999$a$b"], HashCosts(pbkdf2_sha1=7000)),
        (
            [
                "scrypt$16384$a$8$5$b",
                "scrypt$1024$a$8$1$b",
                "scrypt$1048576$a$8$8$b",
                "scrypt$",
                'scrypt$"\\$$$',
            ],
            HashCosts(scrypt=16384 * 8 * 5),
        ),
        (
            ["argon2$argon2id$v=19$m=1024,t=3,p=8$a$b", "argon2$argon2i$m=512,t=2,p=2$a$b", "argon2$"],
            HashCosts(argon2=3072),
        ),
    ],
)
async def test_dearest_hashes_are_known_without_reading_all(
    store: Store, hashes: list[str], dearest: HashCosts
) -> None:
    for number, encoded in enumerate(hashes):
        await store.add_user(f"{number}", f"{number}", encoded, NOW)
    assert (await store.login_record("nobody", HERE)).dearest == dearest


async def test_version_changes_with_what_another_program_does_to_accounts(
    engine: Engine, owner: Owner, stranger: Owner
) -> None:
    await owner.begin("a")
    await stranger.begin("b")
    store = owner.store
    versions = [await store.version()]
    assert await store.version() == versions[0]

    async def note() -> None:
        version = await store.version()
        assert version not in versions
        versions.append(version)

    await engine.revoke_family("a")
    await note()
    await engine.remove_sessions(owner.id)
    await note()
    await engine.revoke_tokens_until(owner.id, 5)
    await note()
    await engine.disable_user(owner.id)
    await note()
    await engine.remove_user(stranger.id)
    await note()
