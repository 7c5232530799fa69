"""Passwords hashed and checked off the loop, in a bounded pool."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import AsyncIterator

import pytest

from shared.auth import password_hasher
from shared.auth.fair_semaphore import Requester
from shared.auth.hash_forms import HashCosts
from shared.auth.password_hasher import PasswordHasher
from shared.auth.password_hashes import hash_password
from shared.errors import Throttled, Unavailable

ANN = Requester("192.0.2.1", "ann")
NOTHING_DEARER = HashCosts(0, 0)


@pytest.fixture
async def hasher() -> AsyncIterator[PasswordHasher]:
    hasher = PasswordHasher(4, workers=2)
    yield hasher
    hasher.close()


async def _admit() -> None:
    """No limit."""


async def _check(
    hasher: PasswordHasher,
    password: str,
    encoded: str | None,
    requester: Requester = ANN,
    dearest: HashCosts = NOTHING_DEARER,
) -> bool:
    return await hasher.check(password, encoded, requester, _admit, dearest)


async def test_hasher_hashes_and_checks(hasher: PasswordHasher) -> None:
    encoded = await hasher.hash("right", ANN)
    assert encoded.startswith("bcrypt_sha256$$2b$04$")
    assert hasher.is_current(encoded)
    assert await _check(hasher, "right", encoded)
    assert not await _check(hasher, "wrong", encoded)


async def test_the_password_of_no_user_never_matches(hasher: PasswordHasher) -> None:
    for password in ("", ".", "anything"):
        assert not await _check(hasher, password, None)


async def test_loop_goes_on_while_passwords_are_hashed_at_the_default_cost() -> None:
    hasher = PasswordHasher(12, workers=2)
    try:
        hashing = asyncio.ensure_future(
            asyncio.gather(*(hasher.hash(f"{number}", ANN) for number in range(4)))
        )
        ticks, latest, began = 0, 0.0, time.perf_counter()
        while not hashing.done():
            before = time.perf_counter()
            await asyncio.sleep(0.005)
            latest = max(latest, time.perf_counter() - before - 0.005)
            ticks += 1
        took = time.perf_counter() - began
        await hashing
    finally:
        hasher.close()
    assert took > 0.1, "too little work to say anything"
    assert ticks > 10
    assert latest < took / 4, f"the loop stood still for {latest:.3f} s"


async def test_a_mismatch_waits_as_long_as_a_dearer_one_works(
    hasher: PasswordHasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the time of the check itself, so it holds on a machine that is busy."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    moments = itertools.count(0.0, 0.25)
    monkeypatch.setattr("shared.auth.password_hasher.time.perf_counter", lambda: next(moments))
    monkeypatch.setattr("shared.auth.password_hasher.asyncio.sleep", sleep)
    monkeypatch.setattr(password_hasher, "_DELAY_MAX", 1000.0)
    for encoded in (
        None,
        "!",
        hash_password("right", 4),
        hash_password("right", 6),
        hash_password("right", 9),
    ):
        assert not await _check(hasher, "wrong", encoded, dearest=HashCosts(9, 0))
    assert waited == [0.25 * 31, 0.25 * 31, 0.25 * 31, 0.25 * 7]
    assert await _check(hasher, "right", hash_password("right", 4), dearest=HashCosts(9, 0))
    assert len(waited) == 4, "a match waits for nothing"


async def test_the_wait_is_bounded(hasher: PasswordHasher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(password_hasher, "_DELAY_MAX", 0.01)
    async with asyncio.timeout(5):
        assert not await _check(hasher, "wrong", None, dearest=HashCosts(20, 0))


async def test_what_is_not_admitted_costs_nothing_and_gives_its_turn_back(hasher: PasswordHasher) -> None:
    async def refuse() -> None:
        raise Throttled(1)

    for _ in range(5):
        with pytest.raises(Throttled):
            await hasher.check("a", None, ANN, refuse, NOTHING_DEARER)
    assert not await _check(hasher, "a", None)


async def test_too_many_waiting_are_refused_and_places_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()

    def slow(password: str, encoded: str | None, cost: int) -> tuple[bool, float]:
        assert go_on.wait(20)
        return True, 1.0

    monkeypatch.setattr(password_hasher, "check_password_padded", slow)
    monkeypatch.setattr(password_hasher, "_WAITING_PER_WORKER", 4)
    hasher = PasswordHasher(4, workers=2)
    try:
        waiting = [asyncio.create_task(_check(hasher, "a", "b")) for _ in range(10)]
        await asyncio.sleep(0)
        for _ in range(3):
            with pytest.raises(Unavailable):
                await _check(hasher, "a", "b")
        with pytest.raises(Unavailable):
            await hasher.hash("a", ANN)
        other = asyncio.create_task(_check(hasher, "a", "b", Requester("192.0.2.1", "bob")))
        await asyncio.sleep(0)
        go_on.set()
        assert await asyncio.wait_for(other, 20), "whoever has less in the queue gets in"
        outcomes = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 20)
        assert [type(outcome) for outcome in outcomes] == [bool] * 9 + [Unavailable]
        assert await _check(hasher, "a", "b")
    finally:
        go_on.set()
        hasher.close()


async def test_a_caller_that_gives_up_gives_its_turn_back_when_its_thread_is_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else many who give up would fill the pool's own queue, which has no bound."""
    running, most, lock = 0, 0, threading.Lock()

    def slow(password: str, cost: int) -> str:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1
        return "made"

    monkeypatch.setattr(password_hasher, "hash_password", slow)
    hasher = PasswordHasher(4, workers=1)
    submitted = 0
    submit = hasher._pool.submit

    def counted(*arguments: object) -> object:
        nonlocal submitted
        submitted += 1
        return submit(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(hasher._pool, "submit", counted)
    try:
        for _ in range(20):
            waiting = [asyncio.create_task(hasher.hash("a", ANN)) for _ in range(3)]
            await asyncio.sleep(0)
            for task in waiting:
                task.cancel()
            await asyncio.wait(waiting)
        assert submitted <= 3, "the others never had a turn"
        assert await hasher.hash("a", ANN) == "made"
    finally:
        hasher.close()


async def test_a_hash_for_which_there_is_no_memory_is_not_a_wrong_password(
    hasher: PasswordHasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(password: str, encoded: str, cost: int) -> tuple[bool, float]:
        raise MemoryError

    monkeypatch.setattr(password_hasher, "check_password_padded", fail)
    with pytest.raises(Unavailable) as refused:
        await _check(hasher, "right", "argon2$")
    assert "memory" in refused.value.reason
