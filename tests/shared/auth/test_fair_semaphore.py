"""The fair semaphore: in rotation, bounded, and nobody kept out by the many requests of others."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from shared.auth.fair_semaphore import FairSemaphore, Requester
from shared.errors import Unavailable


class Log:
    """Who had a turn, in order."""

    def __init__(self, semaphore: FairSemaphore) -> None:
        self.semaphore = semaphore
        self.had: list[str] = []

    async def ask(self, address: str, account: str) -> None:
        await self.semaphore.acquire(Requester(address, account))
        self.had.append(account)
        await asyncio.sleep(0)
        self.semaphore.release()

    def start(self, *asked: tuple[str, str]) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self.ask(*one)) for one in asked]


async def _settled(tasks: list[asyncio.Task[None]]) -> list[bool]:
    """Whether each had its turn."""
    outcomes = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)
    assert all(outcome is None or isinstance(outcome, Unavailable) for outcome in outcomes)
    return [outcome is None for outcome in outcomes]


async def test_addresses_take_turns_and_so_do_the_accounts_of_one() -> None:
    log = Log(FairSemaphore(1, 100))
    many = [("a", "a1")] * 4 + [("a", "a2")] * 2
    tasks = log.start(("x", "first"), *many, ("b", "b1"), ("c", "c1"), ("b", "b1"))
    assert all(await _settled(tasks))
    assert log.had == ["first", "a1", "b1", "c1", "a2", "b1", "a1", "a2", "a1", "a1"]


async def test_no_more_than_so_many_have_their_turn_at_once() -> None:
    semaphore, running, most = FairSemaphore(3, 100), 0, 0

    async def ask(number: int) -> None:
        nonlocal running, most
        await semaphore.acquire(Requester(f"{number % 7}", f"{number % 11}"))
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        semaphore.release()

    await asyncio.gather(*(ask(number) for number in range(60)))
    assert most == 3


async def test_a_full_queue_refuses_the_requester_with_most_requests_in_it() -> None:
    log = Log(FairSemaphore(1, 10))
    await log.semaphore.acquire(Requester("x", "x"))
    tasks = log.start(*[("a", "a1")] * 12)
    await asyncio.sleep(0)
    others = log.start(("b", "b1"), ("b", "b1"), ("a", "a2"), ("c", "c1"))
    await asyncio.sleep(0)
    log.semaphore.release()
    assert await _settled(others) == [True] * 4
    assert await _settled(tasks) == [True] * 6 + [False] * 6


async def test_one_address_with_many_accounts_keeps_no_other_out() -> None:
    log = Log(FairSemaphore(1, 10))
    await log.semaphore.acquire(Requester("x", "x"))
    tasks = log.start(*[("a", f"a{number}") for number in range(50)])
    await asyncio.sleep(0)
    others = log.start(*[("b", f"b{number}") for number in range(6)])
    await asyncio.sleep(0)
    log.semaphore.release()
    assert await _settled(others) == [True] * 5 + [False]
    assert sum(await _settled(tasks)) == 5


async def test_a_cancelled_requester_leaves_nothing_behind() -> None:
    semaphore = FairSemaphore(1, 5)
    await semaphore.acquire(Requester("x", "x"))
    for _ in range(20):
        waiting = [asyncio.create_task(semaphore.acquire(Requester("a", f"{number}"))) for number in range(5)]
        await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
    last = asyncio.create_task(semaphore.acquire(Requester("b", "b")))
    await asyncio.sleep(0)
    semaphore.release()
    await asyncio.wait_for(last, 5)


@pytest.mark.parametrize("order", ["cancel first", "give first"])
async def test_a_turn_that_comes_as_its_taker_gives_up_is_handed_on(order: str) -> None:
    semaphore = FairSemaphore(1, 5)
    await semaphore.acquire(Requester("x", "x"))
    first, second = (asyncio.create_task(semaphore.acquire(Requester(name, name))) for name in ("a", "b"))
    await asyncio.sleep(0)
    if order == "cancel first":
        first.cancel()
        semaphore.release()
    else:
        semaphore.release()
        first.cancel()
    await asyncio.wait([first])
    assert first.cancelled()
    await asyncio.wait_for(second, 5)


async def test_after_the_end_nobody_waits() -> None:
    semaphore = FairSemaphore(1, 5)
    await semaphore.acquire(Requester("x", "x"))
    waiting = [asyncio.create_task(semaphore.acquire(Requester("a", f"{number}"))) for number in range(3)]
    await asyncio.sleep(0)
    semaphore.close()
    assert await _settled(waiting) == [False] * 3
    with pytest.raises(Unavailable):
        await semaphore.acquire(Requester("b", "b"))
    semaphore.release()
    await semaphore.acquire(Requester("b", "b"))


async def test_whoever_is_refused_and_gives_up_at_once_gives_no_turn_back() -> None:
    semaphore = FairSemaphore(1, 3)
    await semaphore.acquire(Requester("x", "x"))
    refused = [asyncio.create_task(semaphore.acquire(Requester("a", "a"))) for _ in range(3)]
    await asyncio.sleep(0)
    others = [asyncio.create_task(semaphore.acquire(Requester(name, name))) for name in ("b", "c")]
    await asyncio.sleep(0)
    for task in refused:
        task.cancel()
    await asyncio.wait(refused)
    assert not any(other.done() for other in others), "the one turn is taken"
    for other in others:
        semaphore.release()
        await asyncio.wait_for(other, 5)


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_happens_no_turn_is_lost_and_none_is_made(seed: int) -> None:
    random = Random(seed)
    at_once, having, most = random.randint(1, 3), 0, 0
    semaphore = FairSemaphore(at_once, random.randint(1, 6))

    async def ask(requester: Requester) -> None:
        nonlocal having, most
        await semaphore.acquire(requester)
        having += 1
        most = max(most, having)
        try:
            for _ in range(random.randint(0, 3)):
                await asyncio.sleep(0)
        finally:
            having -= 1
            semaphore.release()

    tasks: list[asyncio.Task[None]] = []
    for _ in range(300):
        match random.randint(0, 3):
            case 0 if tasks:
                random.choice(tasks).cancel()
            case 1:
                await asyncio.sleep(0)
            case _:
                requester = Requester(f"{random.randint(0, 3)}", f"{random.randint(0, 3)}")
                tasks.append(asyncio.create_task(ask(requester)))
    async with asyncio.timeout(10):
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(
            outcome is None or isinstance(outcome, (Unavailable, asyncio.CancelledError))
            for outcome in outcomes
        )
        assert most == at_once
        for _ in range(at_once):
            await semaphore.acquire(Requester("x", "x"))
        one_more = asyncio.create_task(semaphore.acquire(Requester("x", "x")))
        await asyncio.sleep(0)
        assert not one_more.done()
        semaphore.release()
        await one_more
