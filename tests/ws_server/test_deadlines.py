"""One timer for all deadlines: each is kept, in order, and what was cancelled takes no room for long."""

from __future__ import annotations

import asyncio
import random
import time

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
    await asyncio.sleep(0.25)
    assert called == list(range(10))
    assert all(number / 50 - 0.002 <= moments[number] < number / 50 + 0.1 for number in called)


async def test_an_earlier_one_that_comes_later_does_not_wait_for_the_first() -> None:
    deadlines, called = Deadlines(), list[str]()
    deadlines.after(30, lambda: called.append("later"))
    deadlines.after(0.02, lambda: called.append("soon"))
    await asyncio.sleep(0.1)
    assert called == ["soon"]


async def test_a_cancelled_one_is_not_called_even_if_its_time_has_come_already() -> None:
    deadlines, called = Deadlines(), list[str]()
    second = deadlines.after(0.02, lambda: called.append("second"))

    def call() -> None:
        called.append("first")
        deadlines.cancel(second)

    deadlines.after(0.01, call)
    time.sleep(0.05)  # noqa: ASYNC251 - both are due at the loop's next turn
    await asyncio.sleep(0.05)
    assert called == ["first"]
    deadlines.cancel(second)
    deadlines.cancel(None)


async def test_one_that_fails_does_not_keep_the_others_from_their_turn() -> None:
    deadlines, called = Deadlines(), list[str]()
    deadlines.after(0.01, lambda: 1 / 0)
    deadlines.after(0.02, lambda: called.append("next"))
    await asyncio.sleep(0.1)
    assert called == ["next"]


async def test_one_may_set_another() -> None:
    deadlines, called = Deadlines(), list[str]()
    deadlines.after(0.01, lambda: deadlines.after(0.01, lambda: called.append("done")))
    await asyncio.sleep(0.1)
    assert called == ["done"]


async def test_cancelled_ones_do_not_pile_up() -> None:
    deadlines, called = Deadlines(), list[str]()
    kept = [deadlines.after(0.2, lambda: called.append("kept")) for _ in range(100)]
    for _ in range(20_000):
        deadlines.cancel(deadlines.after(0.1, lambda: called.append("cancelled")))
    assert len(deadlines) < 3000
    await asyncio.sleep(0.4)
    assert called == ["kept"] * len(kept)
    assert len(deadlines) == 0


async def test_many_at_one_moment_leave_the_others_their_turn() -> None:
    deadlines, turns = Deadlines(), list[int]()
    turn = 0
    for _ in range(1000):
        deadlines.after(0, lambda: turns.append(turn))
    while len(turns) < 1000:
        await asyncio.sleep(0)
        turn += 1
    assert max(turns.count(number) for number in set(turns)) <= 100
