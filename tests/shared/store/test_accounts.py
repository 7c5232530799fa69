"""Users and token families: the status of tokens, what is revoked, and what a deletion takes along."""

from __future__ import annotations

import pytest

from shared.auth.password_hashes import HashCosts
from shared.clock import ClockReading, timestamp
from shared.decisions.sessions import TokenStatus
from shared.errors import NotFound, UserGone, ValidationFailed
from shared.models import Token, User
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
    refresh_token,
)

SECONDS = READING.time
GRACE = 30
HERE = "192.0.2.1"


def _access(owner: Owner, sid: str | None, issued: int = SECONDS) -> Token:
    return Token("access", owner.id, "jti of the access token", issued, LATER, sid)


async def _status(owner: Owner, sid: str | None, issued: int = SECONDS) -> TokenStatus:
    status = await owner.store.token_status(_access(owner, sid, issued))
    assert status is not None
    return status


async def _revoked(owner: Owner, sid: str | None, issued: int = SECONDS) -> bool:
    return (await _status(owner, sid, issued)).revoked


async def _rotate(owner: Owner, sid: str, jti: str, seconds: int = 0, expires: int = LATER) -> bool:
    token = refresh_token(owner.id, sid, jti)
    family = await owner.store.exchange_token(token, "new", expires, reading_at(seconds), GRACE, PATIENCE)
    assert family in (sid, None)
    return family is not None


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
    assert await store.token_status(_access(gone, None)) is None


async def test_status_tells_the_user_and_the_newest_seq(owner: Owner) -> None:
    await owner.create()
    await owner.create()
    assert await _status(owner, None) == TokenStatus(
        owner.user, revoked=False, seq=2, expires=0, exchanged=None
    )


async def test_family_is_active_from_its_login_to_its_revocation(owner: Owner) -> None:
    await owner.begin("one")
    await owner.begin("two")
    assert [await _revoked(owner, sid) for sid in ("one", "two", "unknown")] == [False, False, True]
    await owner.end("one")
    assert [await _revoked(owner, sid) for sid in ("one", "two")] == [True, False]


async def test_family_of_another_user_is_revoked(owner: Owner, stranger: Owner) -> None:
    await owner.begin("one")
    assert await _revoked(stranger, "one")


async def test_rotation_lets_a_family_live_longer(owner: Owner) -> None:
    await owner.begin("one", expires=SECONDS + 10)
    assert await _rotate(owner, "one", "first", expires=SECONDS + 100)
    assert (await _status(owner, "one")).expires == SECONDS + 100


async def test_rotation_never_shortens_a_family(owner: Owner) -> None:
    await owner.begin("one", expires=SECONDS + 100)
    assert await _rotate(owner, "one", "first", expires=SECONDS + 10)
    assert (await _status(owner, "one")).expires == SECONDS + 100


async def test_an_active_family_can_be_made_to_live_longer(owner: Owner) -> None:
    await owner.begin("one", expires=SECONDS + 100)
    for expires, then in ((SECONDS + 200, SECONDS + 200), (SECONDS + 150, SECONDS + 200)):
        assert await owner.store.extend_session("one", expires)
        assert (await _status(owner, "one")).expires == then
    await owner.end("one")
    for sid in ("one", "unknown"):
        assert not await owner.store.extend_session(sid, LATER)


@pytest.mark.parametrize("seconds", [0, 1, GRACE])
async def test_exchanged_token_may_be_used_again_within_the_grace(owner: Owner, seconds: int) -> None:
    await owner.begin("one")
    assert await _rotate(owner, "one", "first")
    assert await _rotate(owner, "one", "first", seconds)
    assert not await _revoked(owner, "one")


async def test_grace_counts_from_the_first_exchange(owner: Owner) -> None:
    await owner.begin("one")
    assert await _rotate(owner, "one", "first")
    assert await _rotate(owner, "one", "first", GRACE)
    assert not await _rotate(owner, "one", "first", GRACE + 1)


async def test_reuse_after_the_grace_revokes_the_family(owner: Owner) -> None:
    await owner.begin("one")
    await owner.begin("two")
    assert await _rotate(owner, "one", "first")
    assert await _rotate(owner, "one", "second", GRACE)
    assert not await _rotate(owner, "one", "first", GRACE + 1)
    assert [await _revoked(owner, sid) for sid in ("one", "two")] == [True, False]
    assert not await _rotate(owner, "one", "second", GRACE + 1)


async def test_revoked_or_unknown_family_cannot_rotate(owner: Owner) -> None:
    await owner.begin("one")
    await owner.end("one")
    assert not await _rotate(owner, "one", "first")
    assert not await _rotate(owner, "unknown", "first")


async def test_login_with_a_password_that_was_changed_meanwhile_fails(owner: Owner) -> None:
    await owner.store.set_password(owner.user, "another", READING)
    with pytest.raises(UserGone):
        await owner.begin("one")
    assert await _revoked(owner, "one")


async def test_new_password_ends_all_tokens_issued_before(owner: Owner, stranger: Owner) -> None:
    for author in (owner, stranger):
        await author.begin(f"{author.id}")
    await owner.store.set_password(owner.user, "another", reading_at(1))
    assert await _revoked(owner, f"{owner.id}")
    assert await _revoked(owner, None, issued=SECONDS + 1)
    assert not await _revoked(owner, None, issued=SECONDS + 2)
    assert not await _revoked(stranger, f"{stranger.id}")
    assert not await _revoked(stranger, None)
    assert (await _status(owner, None)).user.password == "another"


async def test_family_begun_with_the_new_password_stands(owner: Owner) -> None:
    await owner.store.set_password(owner.user, "another", READING)
    user = (await _status(owner, None)).user
    await Owner(owner.store, user).begin("new")
    assert not await _revoked(owner, "new")


async def test_deleted_user_leaves_nothing_behind(store: Store) -> None:
    gone = await new_owner(store, "gone")
    task = await gone.create()
    await gone.update(task.uuid, "b")
    await gone.begin("one")
    assert await _rotate(gone, "one", "first")
    await store.delete_user(gone.user, READING)
    assert await store.user_by_key("gone") is None
    assert await store.token_status(_access(gone, "one")) is None
    assert not await _rotate(gone, "one", "first")
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
    assert not await _revoked(owner, "one")


async def test_grace_is_counted_by_the_uptime(owner: Owner) -> None:
    """A clock that is set neither ends it early nor lets it last."""
    await owner.begin("one")
    token = refresh_token(owner.id, "one", "first")

    async def exchange(time: int, uptime: int) -> bool:
        at = READING._replace(time=READING.time + time, uptime=READING.uptime + uptime)
        return await owner.store.exchange_token(token, "new", LATER, at, GRACE, PATIENCE) is not None

    assert await exchange(0, 0)
    assert await exchange(365 * 86_400, 2)
    assert await exchange(-365 * 86_400, GRACE)
    assert not await exchange(-365 * 86_400, GRACE + 1)


async def test_grace_is_counted_by_the_clock_where_the_machine_was_started_anew(owner: Owner) -> None:
    await owner.begin("one")
    token = refresh_token(owner.id, "one", "first")

    async def exchange(time: int) -> bool:
        at = ClockReading(READING.time + time, 5, "another start")
        return await owner.store.exchange_token(token, "new", LATER, at, GRACE, PATIENCE) is not None

    assert await _rotate(owner, "one", "first")
    assert [await exchange(seconds) for seconds in (-10, GRACE, GRACE + 1)] == [True, True, False]


async def test_token_without_a_family_begins_one(owner: Owner) -> None:
    token = refresh_token(owner.id, None, "from elsewhere")
    for seconds in (0, GRACE):
        assert (
            await owner.store.exchange_token(
                token, f"new{seconds}", LATER, reading_at(seconds), GRACE, PATIENCE
            )
            == "new0"
        )
    assert not await _revoked(owner, "new0")
    status = await owner.store.token_status(token)
    assert status is not None
    assert (status.revoked, status.exchanged) == (False, READING)
    assert await owner.store.exchange_token(token, "x", LATER, reading_at(GRACE + 1), GRACE, PATIENCE) is None
    assert await _revoked(owner, "new0")


async def test_token_without_a_family_begins_none_after_a_new_password(owner: Owner) -> None:
    await owner.store.set_password(owner.user, "another", READING)
    token = refresh_token(owner.id, None, "from elsewhere")
    assert await owner.store.exchange_token(token, "new", LATER, READING, GRACE, PATIENCE) is None
    assert await _revoked(owner, "new")


async def test_token_without_a_family_can_be_ended(owner: Owner) -> None:
    token = refresh_token(owner.id, None, "from elsewhere")
    await owner.store.end_family(token, "new", READING)
    status = await owner.store.token_status(token)
    assert status is not None
    assert status.revoked
    assert await owner.store.exchange_token(token, "newer", LATER, READING, GRACE, PATIENCE) is None
    other = await owner.store.token_status(refresh_token(owner.id, None, "another"))
    assert other is not None
    assert not other.revoked


async def test_one_of_two_new_passwords_for_the_same_old_one_is_refused(owner: Owner) -> None:
    assert await owner.store.set_password(owner.user, "another", READING)
    await owner.begin_as("another", "one")
    assert not await owner.store.set_password(owner.user, "a third", READING)
    assert not await owner.store.delete_user(owner.user, READING)
    await owner.store.renew_hash(owner.user, "the old one, of another cost")
    assert (await _status(owner, None)).user.password == "another"
    assert not await _revoked(owner, "one")


async def test_a_renewed_hash_ends_no_token(owner: Owner) -> None:
    await owner.begin("one")
    await owner.store.renew_hash(owner.user, "of another cost")
    assert (await _status(owner, "one")).user.password == "of another cost"
    assert not await _revoked(owner, "one")
    assert not await _revoked(owner, None)


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
        await owner.store.add_session(
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
    ],
)
async def test_dearest_hashes_are_known_without_reading_all(
    store: Store, hashes: list[str], dearest: HashCosts
) -> None:
    for number, encoded in enumerate(hashes):
        await store.add_user(f"{number}", f"{number}", encoded, NOW)
    assert (await store.login_record("nobody", HERE)).dearest == dearest


async def test_many_tokens_are_looked_at_together_as_each_by_itself(engine: Engine, owner: Owner) -> None:
    """Whatever was written by hand, too: in the rows of users and sessions of each kind."""
    store = owner.store
    owners = [owner, *[await new_owner(store) for _ in range(5)]]
    tokens = []
    for number, other in enumerate(owners):
        for sid in (f"kept {number}", f"ended {number}"):
            await store.add_session(sid, other.user, LATER, HERE, READING, PATIENCE)
        foreign = _access(owners[0], f"kept {number}")
        tokens += [
            *[_access(other, sid) for sid in (f"kept {number}", f"ended {number}", "unknown", None)],
            _access(other, None, SECONDS + 1),
            foreign,
        ]
    tokens.append(Token("access", 999_999, "jti", SECONDS, LATER, None))
    for number in range(len(owners)):
        engine.revoke_session(f"ended {number}")
    engine.disable_user(owners[1].id)
    engine.remove_user(owners[2].id)
    engine.revoke_tokens_until(owners[3].id, SECONDS)
    engine.remove_sessions(owners[4].id)
    ended = []
    for token in tokens:
        status = await store.token_status(token)
        if status is None or status.revoked or not status.user.is_active:
            ended.append(token)
    assert 10 < len(ended) < len(tokens) - 5
    assert await store.ended_tokens(tokens) == ended
    assert await store.ended_tokens([]) == []


async def test_version_changes_with_every_commit_also_of_another_program(
    engine: Engine, owner: Owner
) -> None:
    store = owner.store
    version = await store.version()
    assert await store.version() == version
    await owner.create("A task")
    after = await store.version()
    assert after != version
    engine.disable_user(owner.id)
    assert await store.version() not in (version, after)
