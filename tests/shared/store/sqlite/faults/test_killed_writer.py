"""SIGKILL at any moment: what was acknowledged is there, and nothing is half there."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

from shared.store import open_store
from tests.shared.store.owner import Owner, new_owner
from tests.shared.store.sqlite.children import child
from tests.shared.store.sqlite.programs import settings_of
from tests.shared.store.sqlite.sqlite_file import assert_sound

KILLS = 10


async def test_killed_writer_loses_nothing_that_it_acknowledged(path: Path) -> None:
    chance = random.Random(7)
    acknowledged: set[str] = set()
    async with open_store(settings_of(path)) as store:
        user = (await new_owner(store)).user
    for kill in range(KILLS):
        async with child("write-until-killed", path, user.id) as writer:
            await writer.ready()
            writer.start()
            for _ in range(chance.randrange(1, 200)):
                acknowledged.update((await writer.hear())["acknowledged"])
            await writer.kill()
            for said in await writer.hear_all():
                acknowledged.update(said["acknowledged"])
        assert_sound(path)
        async with open_store(settings_of(path)) as store:
            owner = Owner(store, user)
            stored = {task.uuid for task in await owner.tasks()}
            assert acknowledged <= stored, f"lost after kill {kill}"
            assert [change.seq for change in await owner.log()] == list(range(1, await owner.seq() + 1))
    assert len(acknowledged) > KILLS * 10


async def test_store_that_lives_goes_on_beside_one_that_is_killed(owner: Owner, path: Path) -> None:
    async with child("write-until-killed", path, owner.id) as writer:
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
    assert_sound(path)
