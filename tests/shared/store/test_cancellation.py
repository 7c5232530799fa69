"""Callers that give up, and a store that closes: nothing half done, nothing acknowledged lost, nobody left waiting."""

from __future__ import annotations

import asyncio
import random

import pytest

from shared.errors import Unavailable
from shared.models import CreateTask
from tests.shared.store.engine import Engine
from tests.shared.store.owner import Owner, new_owner

BOUND = 10.0


async def test_cancelled_callers_leave_no_transaction_open_and_lose_no_acknowledged_write(
    engine: Engine, owner: Owner
) -> None:
    chance = random.Random(42)
    acknowledged: list[str] = []
    attempted: set[str] = set()

    async def write(number: int) -> None:
        uuids = [f"{number:08x}-0000-4000-8000-{index:012x}" for index in range(chance.randrange(1, 4))]
        attempted.update(uuids)
        await owner.write(*[CreateTask(uuid, "a") for uuid in uuids])
        acknowledged.extend(uuids)

    cancelled = 0
    for wave in range(60):
        writers = [asyncio.create_task(write(wave * 100 + number)) for number in range(20)]
        for _ in range(chance.randrange(6)):
            await asyncio.sleep(chance.choice([0, 0, 0.0005]))
        victims = chance.sample(writers, 12)
        for victim in victims:
            cancelled += victim.cancel()
        await asyncio.wait(writers, timeout=BOUND)
        assert all(writer.done() for writer in writers)
        if wave % 10 == 0:
            async with asyncio.timeout(BOUND):
                await owner.create("a later write")
            await engine.assert_idle(owner.store)
    assert cancelled > 300
    stored = {task.uuid for task in await owner.tasks() if task.task == "a"}
    assert set(acknowledged) <= stored <= attempted
    # A cancelled batch is there whole or not at all.
    for first in {uuid[:8] for uuid in attempted}:
        batch = {uuid for uuid in attempted if uuid.startswith(first)}
        assert batch <= stored or not batch & stored
    await engine.assert_idle(owner.store)
    await engine.assert_sound()


async def test_write_cancelled_before_it_began_is_not_done(owner: Owner) -> None:
    writer = asyncio.create_task(owner.create("never"))
    await asyncio.sleep(0)
    writer.cancel()
    await asyncio.wait([writer])
    await owner.create("later")
    assert [task.task for task in await owner.tasks()] == ["later"]


async def test_cancelled_reads_do_not_block_later_ones(engine: Engine, owner: Owner) -> None:
    task = await owner.create()
    for _ in range(50):
        readers = [
            asyncio.create_task(coroutine)
            for coroutine in (owner.read(task.uuid), owner.tasks(), owner.seq())
        ]
        await asyncio.sleep(0)
        for reader in readers:
            reader.cancel()
        await asyncio.wait(readers)
    async with asyncio.timeout(BOUND):
        assert await owner.tasks() == [task]
        assert await owner.read(task.uuid) == task
    await engine.assert_idle(owner.store)


async def test_cancelled_read_leaves_the_others_of_its_turn_alone(owner: Owner) -> None:
    task = await owner.create()
    reads = [asyncio.create_task(owner.read(task.uuid)) for _ in range(3)]
    await asyncio.sleep(0)
    reads[1].cancel()
    outcomes = await asyncio.gather(*reads, return_exceptions=True)
    assert (outcomes[0], outcomes[2]) == (task, task)
    assert isinstance(outcomes[1], asyncio.CancelledError)


async def test_closing_does_what_waits_and_answers_it(engine: Engine) -> None:
    async with engine.open() as store:
        owner = await new_owner(store)
        writers = [asyncio.create_task(owner.create(str(number))) for number in range(1000)]
        await asyncio.sleep(0)
    answered = await asyncio.wait_for(asyncio.gather(*writers), BOUND)
    assert len({task.uuid for task in answered}) == 1000
    async with engine.open() as store:
        assert {task.uuid for task in await Owner(store, owner.user).tasks()} == {
            task.uuid for task in answered
        }
    await engine.assert_sound()


async def test_closed_store_refuses(engine: Engine) -> None:
    async with engine.open() as store:
        owner = await new_owner(store)
    for attempt in (owner.create(), owner.tasks(), store.ping(), store.seqs([owner.id])):
        with pytest.raises(Unavailable):
            await asyncio.wait_for(attempt, BOUND)


def _die(*_: object) -> None:
    raise RuntimeError("a listener must not raise, and this one does")


async def _end_badly(engine: Engine, *, by_listener: bool) -> list[asyncio.Task[object]]:
    """Let a store end by an error while callers wait; returns those callers."""
    writers: list[asyncio.Task[object]] = []

    async def body() -> None:
        async with engine.open() as store:
            owner = await new_owner(store)
            if by_listener:
                store.listen(_die)
            writers.extend(asyncio.create_task(owner.create()) for _ in range(1000))
            await asyncio.sleep(0)
            if not by_listener:
                raise RuntimeError("the body fails")
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as died:
        await asyncio.wait_for(body(), BOUND)
    assert died.group_contains(RuntimeError)
    return writers


@pytest.mark.parametrize("by_listener", [False, True], ids=["its body fails", "its own work dies"])
async def test_nobody_waits_for_ever_for_a_store_that_ended_because(
    engine: Engine, by_listener: bool
) -> None:
    writers = await _end_badly(engine, by_listener=by_listener)
    _, waiting = await asyncio.wait(writers, timeout=3)
    for writer in waiting:
        writer.cancel()
    assert not waiting, f"{len(waiting)} callers wait for ever"
    failures = {type(error) for writer in writers if (error := writer.exception()) is not None}
    assert failures <= {Unavailable}
    await engine.assert_sound()
