"""Token families: the status of tokens, their rotation and its grace, and what is revoked."""

from __future__ import annotations

import pytest

from shared.clock import ClockReading
from shared.decisions.sessions import TokenStatus
from shared.models import Token
from tests.shared.store.engine import Engine
from tests.shared.store.owner import (
    GRACE,
    LATER,
    PATIENCE,
    READING,
    Owner,
    new_owner,
    reading_at,
    refresh_token,
)

SECONDS = READING.time
HERE = "192.0.2.1"


async def test_status_tells_the_user_and_the_newest_seq(owner: Owner) -> None:
    await owner.create()
    await owner.create()
    assert await owner.status(None) == TokenStatus(
        owner.user, revoked=False, seq=2, expires=0, exchanged=None
    )


async def test_family_is_active_from_its_login_to_its_revocation(owner: Owner) -> None:
    await owner.begin("one")
    await owner.begin("two")
    assert [await owner.is_revoked(sid) for sid in ("one", "two", "unknown")] == [False, False, True]
    await owner.end("one")
    assert [await owner.is_revoked(sid) for sid in ("one", "two")] == [True, False]


async def test_family_of_another_user_is_revoked(owner: Owner, stranger: Owner) -> None:
    await owner.begin("one")
    assert await stranger.is_revoked("one")


async def test_rotation_lets_a_family_live_longer(owner: Owner) -> None:
    await owner.begin("one", expires=SECONDS + 10)
    assert await owner.rotate("one", "first", expires=SECONDS + 100)
    assert (await owner.status("one")).expires == SECONDS + 100


async def test_rotation_never_shortens_a_family(owner: Owner) -> None:
    await owner.begin("one", expires=SECONDS + 100)
    assert await owner.rotate("one", "first", expires=SECONDS + 10)
    assert (await owner.status("one")).expires == SECONDS + 100


async def test_an_active_family_can_be_made_to_live_longer(owner: Owner) -> None:
    await owner.begin("one", expires=SECONDS + 100)
    for expires, then in ((SECONDS + 200, SECONDS + 200), (SECONDS + 150, SECONDS + 200)):
        assert await owner.store.extend_family("one", expires)
        assert (await owner.status("one")).expires == then
    await owner.end("one")
    for sid in ("one", "unknown"):
        assert not await owner.store.extend_family(sid, LATER)


@pytest.mark.parametrize("seconds", [0, 1, GRACE])
async def test_exchanged_token_may_be_used_again_within_the_grace(owner: Owner, seconds: int) -> None:
    await owner.begin("one")
    assert await owner.rotate("one", "first")
    assert await owner.rotate("one", "first", seconds)
    assert not await owner.is_revoked("one")


async def test_grace_counts_from_the_first_exchange(owner: Owner) -> None:
    await owner.begin("one")
    assert await owner.rotate("one", "first")
    assert await owner.rotate("one", "first", GRACE)
    assert not await owner.rotate("one", "first", GRACE + 1)


async def test_reuse_after_the_grace_revokes_the_family(owner: Owner) -> None:
    await owner.begin("one")
    await owner.begin("two")
    assert await owner.rotate("one", "first")
    assert await owner.rotate("one", "second", GRACE)
    assert not await owner.rotate("one", "first", GRACE + 1)
    assert [await owner.is_revoked(sid) for sid in ("one", "two")] == [True, False]
    assert not await owner.rotate("one", "second", GRACE + 1)


async def test_revoked_or_unknown_family_cannot_rotate(owner: Owner) -> None:
    await owner.begin("one")
    await owner.end("one")
    assert not await owner.rotate("one", "first")
    assert not await owner.rotate("unknown", "first")


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


async def test_grace_is_counted_by_the_clock_after_a_reboot(owner: Owner) -> None:
    await owner.begin("one")
    token = refresh_token(owner.id, "one", "first")

    async def exchange(time: int) -> bool:
        at = ClockReading(READING.time + time, 5, "another start")
        return await owner.store.exchange_token(token, "new", LATER, at, GRACE, PATIENCE) is not None

    assert await owner.rotate("one", "first")
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
    assert not await owner.is_revoked("new0")
    status = await owner.store.token_status(token)
    assert status is not None
    assert (status.revoked, status.exchanged) == (False, READING)
    assert await owner.store.exchange_token(token, "x", LATER, reading_at(GRACE + 1), GRACE, PATIENCE) is None
    assert await owner.is_revoked("new0")


async def test_token_without_a_family_begins_none_after_a_new_password(owner: Owner) -> None:
    await owner.store.set_password(owner.user, "another", READING)
    token = refresh_token(owner.id, None, "from elsewhere")
    assert await owner.store.exchange_token(token, "new", LATER, READING, GRACE, PATIENCE) is None
    assert await owner.is_revoked("new")


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


async def test_many_tokens_are_looked_at_together_as_each_by_itself(engine: Engine, owner: Owner) -> None:
    """Whatever was written by hand, too: in the rows of users and sessions of each kind."""
    store = owner.store
    owners = [owner, *[await new_owner(store) for _ in range(5)]]
    tokens = []
    for number, other in enumerate(owners):
        for sid in (f"kept {number}", f"ended {number}"):
            await store.begin_family(sid, other.user, LATER, HERE, READING, PATIENCE)
        foreign = owners[0].access_token(f"kept {number}")
        tokens += [
            *[other.access_token(sid) for sid in (f"kept {number}", f"ended {number}", "unknown", None)],
            other.access_token(None, SECONDS + 1),
            foreign,
        ]
    tokens.append(Token("access", 999_999, "jti", SECONDS, LATER, None))
    for number in range(len(owners)):
        await engine.revoke_family(f"ended {number}")
    await engine.disable_user(owners[1].id)
    await engine.remove_user(owners[2].id)
    await engine.revoke_tokens_until(owners[3].id, SECONDS)
    await engine.remove_sessions(owners[4].id)
    ended = []
    for token in tokens:
        status = await store.token_status(token)
        if status is None or status.revoked or not status.user.is_active:
            ended.append(token)
    assert 10 < len(ended) < len(tokens) - 5
    assert await store.ended_tokens(tokens) == ended
    assert await store.ended_tokens([]) == []
