"""Rows that have had their time go; a clock that is wrong for a moment takes nothing along."""

from __future__ import annotations

from shared.store import Store
from tests.shared.store.engine import Engine
from tests.shared.store.owner import LATER, PATIENCE, READING, Owner, new_owner, reading_at, refresh_token

YEAR = 365 * 86_400


async def test_expired_rows_go_after_a_while(engine: Engine, owner: Owner) -> None:
    await owner.begin("short", expires=READING.time + 10)
    await owner.begin("long", at=reading_at(10 + PATIENCE))
    assert await engine.kept() == ["long", "short"], "not past its time for long enough"
    await owner.begin("next", at=reading_at(10 + PATIENCE + 1))
    assert await engine.kept() == ["long", "next"]


async def test_one_reading_of_a_clock_that_is_ahead_takes_nothing(engine: Engine, owner: Owner) -> None:
    await owner.begin("one")
    await owner.begin("two", at=reading_at(YEAR, 100))
    await owner.begin("three", at=reading_at(YEAR + 1, 101))
    await owner.begin("four", at=reading_at(110))
    assert await engine.kept() == ["four", "one", "three", "two"]


async def test_a_clock_that_runs_evenly_again_is_trusted_again(engine: Engine, owner: Owner) -> None:
    await owner.begin("one", expires=READING.time + 10)
    await owner.begin("two", at=reading_at(YEAR, 100))
    for seconds in (200, 200 + PATIENCE - 1):
        await owner.begin(f"at {seconds}", at=reading_at(seconds))
        assert "one" in await engine.kept()
    await owner.begin("three", at=reading_at(200 + PATIENCE))
    assert "one" not in await engine.kept()


async def test_after_a_start_of_the_machine_nothing_goes_for_a_while(engine: Engine, owner: Owner) -> None:
    await owner.begin("one", expires=READING.time + 10)
    await owner.begin("two", at=reading_at(1000, 5 - READING.uptime, "another start"))
    assert "one" in await engine.kept()
    await owner.begin("three", at=reading_at(1000 + PATIENCE, 5 - READING.uptime + PATIENCE, "another start"))
    assert "one" not in await engine.kept()


async def test_a_clock_that_is_slewed_goes_evenly(engine: Engine, owner: Owner) -> None:
    await owner.begin("one", expires=READING.time + 10)
    await owner.begin("two", at=reading_at(10 + PATIENCE + 4, 10 + PATIENCE + 1))
    assert await engine.kept() == ["two"]


async def test_exchanged_tokens_and_revocations_go_too(engine: Engine, store: Store) -> None:
    owner = await new_owner(store)
    await owner.begin("kept")
    await owner.begin("ended")
    short = refresh_token(owner.id, "kept", "short", expires=READING.time + 10)
    long = refresh_token(owner.id, "kept", "long")
    for token in (short, long):
        assert await store.exchange_token(token, "new", LATER, READING, 30, PATIENCE)
    await owner.end("ended")
    assert await engine.kept() == ["ended", "kept", "long", "short", "ended"]
    third = refresh_token(owner.id, "kept", "third")
    assert await store.exchange_token(third, "new", LATER, reading_at(10 + PATIENCE + 1), 30, PATIENCE)
    assert await engine.kept() == ["ended", "kept", "long", "third", "ended"]
    await owner.begin("next", at=reading_at(3601))
    assert await engine.kept() == ["ended", "kept", "next", "long", "third"]
