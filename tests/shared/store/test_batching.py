"""Work that waits at once is one group, and every caller gets its own outcome, however it ends. No database is needed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from shared.errors import NotFound, Unavailable
from shared.store import batching
from shared.store.batching import Batcher, Outcome


class Engine:
    """Doubles numbers, a group at a time, each when it is told to; a negative one is not found."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.may_go_on = asyncio.Semaphore(0)
        self.failure: Exception | None = None
        self.unavailable: Unavailable | None = None

    async def run(self, group: Sequence[int]) -> list[Outcome]:
        self.groups.append(list(group))
        await self.may_go_on.acquire()
        if self.failure is not None:
            raise self.failure
        if self.unavailable is not None:
            return [self.unavailable] * len(group)
        return [NotFound() if number < 0 else 2 * number for number in group]


@pytest.fixture
def engine() -> Engine:
    return Engine()


@asynccontextmanager
async def served(engine: Engine) -> AsyncIterator[Batcher[int]]:
    batcher = Batcher(engine.run)
    serving = asyncio.create_task(batcher.serve())
    yield batcher
    batcher.close()
    await asyncio.wait_for(serving, 5)


async def _turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_what_comes_while_a_group_is_in_hand_is_the_next_group(engine: Engine) -> None:
    async with served(engine) as batcher:
        first = batcher.submit(1)
        await _turns()
        others = [batcher.submit(number) for number in (2, -3, 4)]
        await _turns()
        assert engine.groups == [[1]]
        engine.may_go_on.release()
        assert await first == 2
        await _turns()
        assert engine.groups == [[1], [2, -3, 4]]
        assert not any(other.done() for other in others)
        engine.may_go_on.release()
        outcomes = await asyncio.gather(*others, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [int, NotFound, int]
        assert (outcomes[0], outcomes[2]) == (4, 8)


async def test_a_caller_that_gave_up_before_its_group_began_costs_nothing(engine: Engine) -> None:
    async with served(engine) as batcher:
        first = batcher.submit(1)
        await _turns()
        second, third = batcher.submit(2), batcher.submit(3)
        second.cancel()
        engine.may_go_on.release()
        engine.may_go_on.release()
        assert [await first, await third] == [2, 6]
        assert engine.groups == [[1], [3]]


async def test_while_the_database_is_unavailable_waiting_writes_get_the_same_error(
    engine: Engine,
) -> None:
    engine.unavailable = Unavailable("a full disk")
    async with served(engine) as batcher:
        first = batcher.submit(1)
        await _turns()
        second = batcher.submit(2)
        engine.may_go_on.release()
        outcomes = await asyncio.gather(first, second, return_exceptions=True)
        assert list(outcomes) == [engine.unavailable] * 2
        assert engine.groups == [[1]]


async def test_closing_lets_those_who_wait_have_their_outcomes_and_refuses_others(engine: Engine) -> None:
    batcher = Batcher(engine.run)
    serving = asyncio.create_task(batcher.serve())
    first = batcher.submit(1)
    await _turns()
    second = batcher.submit(2)
    batcher.close()
    with pytest.raises(Unavailable):
        batcher.submit(3)
    engine.may_go_on.release()
    engine.may_go_on.release()
    await asyncio.wait_for(serving, 5)
    assert [await first, await second] == [2, 4]


async def test_when_the_engine_fails_the_batcher_ends_with_its_error_and_nobody_is_left_waiting(
    engine: Engine,
) -> None:
    engine.failure = RuntimeError("a defect")
    batcher = Batcher(engine.run)
    serving = asyncio.create_task(batcher.serve())
    first = batcher.submit(1)
    await _turns()
    second = batcher.submit(2)
    engine.may_go_on.release()
    with pytest.raises(RuntimeError, match="a defect"):
        await asyncio.wait_for(serving, 5)
    outcomes = await asyncio.gather(first, second, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {Unavailable}
    with pytest.raises(Unavailable):
        batcher.submit(3)


async def test_who_trickle_in_are_not_waited_for_long(engine: Engine) -> None:
    """A hundred were answered, and one comes in each turn of the loop, which takes it more than a millisecond."""
    idle = Batcher(engine.run)  # nobody serves it
    coming = asyncio.create_task(idle._linger(100))
    came = 0
    while not coming.done():
        idle.submit(came)
        came += 1
        time.sleep(0.001)  # noqa: ASYNC251 - it stands for work
        await asyncio.sleep(0)
    assert 0 < came <= 100 * batching._LINGER_SECONDS / 0.001 + 1
