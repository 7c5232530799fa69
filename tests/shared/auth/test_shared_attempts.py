"""Failed logins that several gateways count together in PostgreSQL; each alone while that does not answer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import cast

import psycopg
import pytest

from shared.auth import shared_attempts
from shared.auth.login_attempts import Attempt, LoginAttempts
from shared.auth.shared_attempts import SharedAttempts
from shared.errors import Throttled
from shared.store.postgres.store import PostgresStore
from tests.shared.store.postgres.engine import PostgresEngine
from tests.support.waiting import until

HOME, ELSEWHERE = "192.0.2.1", "192.0.2.2"
PER_MINUTE = 3


class Clock:
    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture
def engine(tmp_path: Path) -> PostgresEngine:
    return PostgresEngine(tmp_path)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def gateways(engine: PostgresEngine, clock: Clock) -> AsyncIterator[list[LoginAttempts]]:
    """What three gateways have, each with connections of its own."""
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(engine.open()) for _ in range(3)]
        shared = [SharedAttempts(cast(PostgresStore, store).counts.attempts, clock) for store in stores]
        running = [asyncio.create_task(each.run()) for each in shared]
        yield [LoginAttempts(PER_MINUTE, clock, each) for each in shared]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _guess(gateway: LoginAttempts, account: str | None, address: str) -> Attempt | None:
    """``None`` where it was not let through."""
    guess = gateway.guess(account, address)
    try:
        await guess.admit()
    except Throttled:
        return None
    return guess


def _kept(engine: PostgresEngine) -> dict[bytes, int]:
    return dict(engine._execute("SELECT key, attempts FROM attempts"))


async def test_guesses_at_once_at_several_gateways_are_counted_exactly(gateways: list[LoginAttempts]) -> None:
    guesses = [_guess(gateway, "ann", f"192.0.2.{number}") for number in range(8) for gateway in gateways]
    assert sum(guess is not None for guess in await asyncio.gather(*guesses)) == PER_MINUTE
    for gateway in gateways:
        with pytest.raises(Throttled) as throttled:
            await gateway.guess("ann", HOME).admit()
        assert 50 < throttled.value.retry_after <= 60
    assert await _guess(gateways[0], "bob", HOME)


async def test_an_address_and_its_registrations_are_counted_together(gateways: list[LoginAttempts]) -> None:
    names = [None, *map(str, range(30))]
    guesses = [_guess(gateways[number % 3], name, HOME) for number, name in enumerate(names)]
    assert sum(guess is not None for guess in await asyncio.gather(*guesses)) == 5 * PER_MINUTE
    for gateway in gateways:
        with pytest.raises(Throttled):
            await gateway.register(HOME)

    async def register(gateway: LoginAttempts) -> bool:
        try:
            await gateway.register(ELSEWHERE)
        except Throttled:
            return False
        return True

    made = await asyncio.gather(*[register(gateways[number % 3]) for number in range(31)])
    assert sum(made) == 5 * PER_MINUTE
    assert await _guess(gateways[0], "ann", ELSEWHERE), "registrations lock no logins"


async def test_what_is_forgiven_is_forgiven_everywhere(
    engine: PostgresEngine, gateways: list[LoginAttempts]
) -> None:
    one, two, three = gateways
    for _ in range(3 * PER_MINUTE):
        for gateway in gateways:
            guess = await _guess(gateway, "ann", HOME)
            assert guess is not None
            await guess.forgive()
            guess.forgive_soon()
    for _ in range(PER_MINUTE):
        right = [await _guess(one, "ann", HOME) for _ in range(PER_MINUTE)]
        assert await _guess(two, "ann", HOME) is None, "as long as they are being checked"
        for guess in right:
            assert guess is not None
            guess.forgive_soon()
            guess.forgive_soon()
        await until(lambda: set(_kept(engine).values()) == {0}, 5, "none counts")
    assert await _guess(three, "ann", HOME)
    await until(lambda: not _is_full(two, "ann"), 5, "the other asks again")
    assert await _guess(two, "ann", HOME)


def _is_full(gateway: LoginAttempts, account: str) -> bool:
    try:
        gateway.guess(account, HOME).refuse_if_locked()
    except Throttled:
        return True
    return False


async def test_a_key_that_is_full_is_not_asked_about_for_a_moment(
    engine: PostgresEngine, gateways: list[LoginAttempts], clock: Clock
) -> None:
    for _ in range(PER_MINUTE):
        assert await _guess(gateways[0], "ann", HOME)
    assert await _guess(gateways[1], "ann", HOME) is None
    await until(lambda: set(_kept(engine).values()) == {PER_MINUTE}, 5, "a refused one does not count")
    engine._execute("DELETE FROM attempts")
    assert await _guess(gateways[1], "ann", HOME) is None
    clock.ahead += 1
    assert await _guess(gateways[1], "ann", HOME)


async def test_counts_are_forgotten_after_their_minute(
    engine: PostgresEngine, gateways: list[LoginAttempts], clock: Clock
) -> None:
    for number in range(70):
        assert await _guess(gateways[number % 3], f"{number}", f"198.51.100.{number}")
    for number in range(PER_MINUTE):
        assert await _guess(gateways[number], "ann", HOME)
    assert await _guess(gateways[0], "ann", HOME) is None
    assert len(_kept(engine)) == 142
    engine._execute("UPDATE attempts SET began = began - interval '61 seconds'")
    clock.ahead += 61
    for number in range(PER_MINUTE):
        assert await _guess(gateways[number], "ann", HOME)
    assert await _guess(gateways[0], "ann", HOME) is None
    for number in range(10):
        assert await _guess(gateways[0], f"{number}", ELSEWHERE)
    assert len(_kept(engine)) == 13


async def test_a_clock_of_the_database_that_was_set_back_locks_nobody_for_long(
    engine: PostgresEngine, gateways: list[LoginAttempts], clock: Clock
) -> None:
    for number in range(PER_MINUTE):
        assert await _guess(gateways[number], "ann", HOME)
    engine._execute("UPDATE attempts SET began = began + interval '1 hour'")
    clock.ahead += 61
    assert await _guess(gateways[0], "ann", HOME)


async def test_without_a_limit_nothing_is_counted(engine: PostgresEngine) -> None:
    async with engine.open() as store:
        shared = SharedAttempts(cast(PostgresStore, store).counts.attempts)
        gateway = LoginAttempts(0, shared=shared)
        for _ in range(100):
            assert await _guess(gateway, "ann", HOME)
            await gateway.register(HOME)
    assert _kept(engine) == {}


async def test_each_gateway_counts_alone_while_the_table_does_not_answer(
    engine: PostgresEngine,
    gateways: list[LoginAttempts],
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    one, two, _ = gateways
    right = await _guess(one, "bob", HOME)
    assert right is not None
    with psycopg.connect(engine.url) as operator:
        operator.execute("LOCK TABLE attempts")
        for gateway in (one, two):
            began = time.monotonic()
            for _ in range(PER_MINUTE):
                assert await _guess(gateway, "ann", HOME)
            assert await _guess(gateway, "ann", HOME) is None
            assert 1 <= time.monotonic() - began < 2, "one of them has waited"
        await right.forgive()
        logged = [record for record in caplog.records if "alone" in record.getMessage()]
        assert [record.levelno for record in logged] == [logging.WARNING] * 2
    async with asyncio.timeout(20):
        while "counted together again" not in caplog.text:
            clock.ahead += shared_attempts.ALONE_SECONDS
            await _guess(one, "carl", ELSEWHERE)


async def test_counts_whose_minutes_end_all_the_time_are_in_nobodys_way(engine: PostgresEngine) -> None:
    """No deadlock between those that count, take back and forget the same keys."""
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(engine.open()) for _ in range(2)]
        keys = [bytes([number]) for number in range(6)]

        async def count(number: int) -> None:
            counts = cast(PostgresStore, stores[number % 2]).counts.attempts
            for turn in range(100):
                hot, other = keys[0], keys[1 + (turn + number) % 5]
                counted = await counts.count((other, hot) if number % 3 else (hot, other), 0.002)
                assert counted.keys() == {hot, other}
                await counts.take_back({(key, count.window): 1 for key, count in counted.items()})

        await asyncio.gather(*[count(number) for number in range(12)])
        assert all(attempts >= 0 for attempts in _kept(engine).values())
