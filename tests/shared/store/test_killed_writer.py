"""SIGKILL at any moment: what was acknowledged is there, and nothing is half there."""

from __future__ import annotations

import asyncio
import random

from tests.shared.store.children import child
from tests.shared.store.engine import Engine
from tests.shared.store.owner import Owner, new_owner
from tests.shared.store.programs import write_until_killed

KILLS = 10


async def test_killed_writer_loses_nothing_that_it_acknowledged(engine: Engine) -> None:
    chance = random.Random(7)
    acknowledged: set[str] = set()
    async with engine.open() as store:
        user = (await new_owner(store)).user
    for kill in range(KILLS):
        async with child(write_until_killed, engine.url, user.id) as writer:
            await writer.ready()
            writer.start()
            for _ in range(chance.randrange(1, 200)):
                acknowledged.update((await writer.hear())["acknowledged"])
            await writer.kill()
            for said in await writer.hear_all():
                acknowledged.update(said["acknowledged"])
        await engine.assert_sound()
        async with engine.open() as store:
            owner = Owner(store, user)
            stored = {task.uuid for task in await owner.tasks()}
            assert acknowledged <= stored, f"lost after kill {kill}"
            assert [change.seq for change in await owner.log()] == list(range(1, await owner.seq() + 1))
    assert len(acknowledged) > KILLS * 10


async def test_store_that_lives_goes_on_beside_one_that_is_killed(engine: Engine, owner: Owner) -> None:
    async with child(write_until_killed, engine.url, owner.id) as writer:
        await writer.ready()
        writer.start()
        await writer.hear()
        ours = [asyncio.create_task(owner.create("ours")) for _ in range(50)]
        await writer.hear()
        await writer.kill()
        await asyncio.wait_for(asyncio.gather(*ours), 10)
        theirs = [uuid for said in await writer.hear_all() for uuid in said["acknowledged"]]
    after = await asyncio.wait_for(owner.create("after"), 5)
    uuids = {task.uuid for task in await owner.tasks()}
    assert {after.uuid, *(task.result().uuid for task in ours), *theirs} <= uuids
    await engine.assert_sound()
