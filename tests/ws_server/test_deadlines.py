"""One timer for all deadlines: each is kept, in order, and what was cancelled takes no room for long."""

from __future__ import annotations

import asyncio
import random

from tests.support.waiting import until
from ws_server.deadlines import Deadlines


async def test_each_is_called_at_its_time_in_order() -> None:
    deadlines, called = Deadlines(), list[int]()
    loop = asyncio.get_running_loop()
    started = loop.time()
    moments = dict[int, float]()

    def call(number: int) -> None:
        called.append(number)
        moments[number] = loop.time() - started

    for number in random.Random(4).sample(range(10), 10):
        deadlines.set(started + number / 50, lambda number=number: call(number))  # type: ignore[misc]
    await until(lambda: len(called) == 10, 10, "all are called")
    assert called == list(range(10))
    assert all(number / 50 - 0.002 <= moments[number] for number in called)


async def test_an_earlier_one_that_comes_later_does_not_wait_for_the_first() -> None:
    deadlines, called = Deadlines(), list[str]()
    deadlines.after(30, lambda: called.append("later"))
    deadlines.after(0.02, lambda: called.append("soon"))
    await until(lambda: called, 10, "the earlier one is called")
    assert called == ["soon"]


async def test_a_cancelled_one_is_not_called_even_if_its_time_has_come_already() -> None:
    deadlines, called = Deadlines(), list[str]()
    begin = asyncio.get_running_loop().time()
    second = deadlines.set(begin - 0.1, lambda: called.append("second"))

    def call() -> None:
        called.append("first")
        deadlines.cancel(second)

    deadlines.set(begin - 0.2, call)
    deadlines.set(begin, lambda: called.append("last"))
    await until(lambda: "last" in called, 10, "the last one is called")
    assert called == ["first", "last"]
    deadlines.cancel(second)
    deadlines.cancel(None)


async def test_one_that_fails_does_not_keep_the_others_from_their_turn() -> None:
    deadlines, called = Deadlines(), list[str]()
    deadlines.after(0.01, lambda: 1 / 0)
    deadlines.after(0.02, lambda: called.append("next"))
    await until(lambda: called, 10, "the next one is called")
    assert called == ["next"]


async def test_one_may_set_another() -> None:
    deadlines, called = Deadlines(), list[str]()
    deadlines.after(0.01, lambda: deadlines.after(0.01, lambda: called.append("done")))
    await until(lambda: called, 10, "the other one is called")
    assert called == ["done"]


async def test_cancelled_ones_do_not_pile_up() -> None:
    deadlines, called = Deadlines(), list[str]()
    kept = [deadlines.after(0.2, lambda: called.append("kept")) for _ in range(100)]
    for _ in range(20_000):
        deadlines.cancel(deadlines.after(0.1, lambda: called.append("cancelled")))
    assert len(deadlines) < 3000
    await until(lambda: len(deadlines) == 0, 10, "none is kept")
    assert called == ["kept"] * len(kept)


async def test_many_at_one_moment_leave_the_others_their_turn() -> None:
    deadlines, turns = Deadlines(), list[int]()
    turn = 0
    for _ in range(1000):
        deadlines.after(0, lambda: turns.append(turn))
    while len(turns) < 1000:
        await asyncio.sleep(0)
        turn += 1
    assert max(turns.count(number) for number in set(turns)) <= 100
