"""Rows that have had their time go; a clock that is wrong for a moment takes nothing along."""

from __future__ import annotations

import sqlite3

import msgspec
import pytest

from shared.clock import Reading
from shared.store import Store
from shared.tokens import Token
from tests.shared.store.owner import LATER, PATIENCE, READING, Owner, new_owner, refresh_token
from tests.shared.store.sqlite.sqlite_file import as_writer

YEAR = 365 * 86_400


def _at(time: int, uptime: float | None = None, boot: str = READING.boot) -> Reading:
    return Reading(READING.time + time, READING.uptime + (time if uptime is None else uptime), boot)


async def _kept(store: Store) -> list[str]:
    """The families, the exchanged tokens and the revocations."""

    def read(connection: sqlite3.Connection) -> list[str]:
        return [
            row[0]
            for query in (
                "SELECT sid FROM sessions",
                "SELECT jti FROM rotated_tokens",
                "SELECT sid FROM revocations",
            )
            for row in connection.execute(f"{query} ORDER BY 1")
        ]

    return await as_writer(store, read)


async def test_expired_rows_go_after_a_while(owner: Owner) -> None:
    await owner.begin("short", expires=READING.time + 10)
    await owner.begin("long", at=_at(10 + PATIENCE))
    assert await _kept(owner.store) == ["long", "short"], "not past its time for long enough"
    await owner.begin("next", at=_at(10 + PATIENCE + 1))
    assert await _kept(owner.store) == ["long", "next"]


async def test_one_reading_of_a_clock_that_is_ahead_takes_nothing(owner: Owner) -> None:
    await owner.begin("one")
    await owner.begin("two", at=_at(YEAR, 100))
    await owner.begin("three", at=_at(YEAR + 1, 101))
    await owner.begin("four", at=_at(110))
    assert await _kept(owner.store) == ["four", "one", "three", "two"]


async def test_a_clock_that_goes_evenly_again_is_believed_again(owner: Owner) -> None:
    await owner.begin("one", expires=READING.time + 10)
    await owner.begin("two", at=_at(YEAR, 100))
    for seconds in (200, 200 + PATIENCE - 1):
        await owner.begin(f"at {seconds}", at=_at(seconds))
        assert "one" in await _kept(owner.store)
    await owner.begin("three", at=_at(200 + PATIENCE))
    assert "one" not in await _kept(owner.store)


async def test_after_a_start_of_the_machine_nothing_goes_for_a_while(owner: Owner) -> None:
    await owner.begin("one", expires=READING.time + 10)
    await owner.begin("two", at=_at(1000, 5 - READING.uptime, "another start"))
    assert "one" in await _kept(owner.store)
    await owner.begin("three", at=_at(1000 + PATIENCE, 5 - READING.uptime + PATIENCE, "another start"))
    assert "one" not in await _kept(owner.store)


async def test_a_clock_that_is_slewed_goes_evenly(owner: Owner) -> None:
    await owner.begin("one", expires=READING.time + 10)
    await owner.begin("two", at=_at(10 + PATIENCE + 4, 10 + PATIENCE + 1))
    assert await _kept(owner.store) == ["two"]


async def test_exchanged_tokens_and_revocations_go_too(store: Store) -> None:
    owner = await new_owner(store)
    await owner.begin("kept")
    await owner.begin("ended")
    short = refresh_token(owner.id, "kept", "short", expires=READING.time + 10)
    long = refresh_token(owner.id, "kept", "long")
    for token in (short, long):
        assert await store.exchange_token(token, "new", LATER, READING, 30, PATIENCE)
    await owner.end("ended")
    assert await _kept(store) == ["ended", "kept", "long", "short", "ended"]
    third = refresh_token(owner.id, "kept", "third")
    assert await store.exchange_token(third, "new", LATER, _at(10 + PATIENCE + 1), 30, PATIENCE)
    assert await _kept(store) == ["ended", "kept", "long", "third", "ended"]
    await owner.begin("next", at=_at(3601))
    assert await _kept(store) == ["ended", "kept", "next", "long", "third"]


async def test_many_rows_go_in_several_steps(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.store.sqlite.aging._ROWS_AT_ONCE", 3)
    for number in range(7):
        await owner.begin(f"{number}", expires=READING.time + 10)
    for step, left in enumerate((4, 1, 0, 0)):
        await owner.begin(f"step {step}", at=_at(200 + step))
        assert sum(len(sid) == 1 for sid in await _kept(owner.store)) == left


async def test_a_family_that_is_exchanged_without_end_keeps_its_latest_tokens(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.store.sqlite.sessions._EXCHANGES_KEPT", 10)
    monkeypatch.setattr("shared.store.sqlite.sessions._SUMMED_UP_AT_ONCE", 5)
    store = owner.store
    first = refresh_token(owner.id, None, "of simplejwt's")
    assert await store.exchange_token(first, "one", LATER, READING, 30, PATIENCE) == "one"

    def nth(number: int) -> Token:
        token = refresh_token(owner.id, "one", f"jti {number}")
        return msgspec.structs.replace(token, iat=READING.time + number)

    for number in range(1, 201):
        assert await store.exchange_token(nth(number), "new", LATER, _at(number), 30, PATIENCE) == "one"
    kept = [jti for jti in await _kept(store) if jti.startswith("jti")]
    assert 91 <= len(kept) <= 100, "those of the grace and a minute more"
    assert "of simplejwt's" in await _kept(store)
    for token in (nth(1), nth(100), nth(150)):
        status = await store.token_status(token)
        assert status is not None
        assert status.exchanged is not None
        assert _at(200).seconds_since(status.exchanged) > 30
    status = await store.token_status(nth(201))
    assert status is not None
    assert status.exchanged is None
    assert await store.exchange_token(nth(190), "new", LATER, _at(200), 30, PATIENCE) == "one", "in its grace"
    assert await store.exchange_token(nth(1), "new", LATER, _at(200), 30, PATIENCE) is None
    assert await store.exchange_token(nth(201), "new", LATER, _at(200), 30, PATIENCE) is None, "it was reused"
