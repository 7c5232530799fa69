"""Two processes that write to one database at once."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest

from shared.errors import UserGone
from shared.models import CreateTask
from shared.store import Store
from tests.shared.store.children import child
from tests.shared.store.engine import Engine
from tests.shared.store.owner import READING, Owner, new_owner, refresh_token
from tests.shared.store.programs import open_one, write_many

TASKS = 8
WRITES_EACH = 125  # times 8 tasks, times 2 processes: 2,000


async def test_both_write_at_once_and_neither_is_refused(engine: Engine, store: Store) -> None:
    owners = [await new_owner(store) for _ in range(4)]
    ids = ",".join(str(owner.id) for owner in owners)
    async with AsyncExitStack() as stack:
        writers = [
            await stack.enter_async_context(child(write_many, engine.url, ids, TASKS, WRITES_EACH))
            for _ in range(2)
        ]
        for writer in writers:
            await writer.ready()
        for writer in writers:
            writer.start()
        heard = [await writer.hear() for writer in writers]
    assert [said["errors"] for said in heard] == [[], []]
    assert max(said["slowest"] for said in heard) < 4, "a process starves the other"
    per_task = sum(index % 3 + 1 for index in range(WRITES_EACH))
    assert sum([await owner.seq() for owner in owners]) == 2 * TASKS * per_task
    for owner in owners:
        log = await owner.log()
        assert [change.seq for change in log] == list(range(1, await owner.seq() + 1))
        assert {change.task_id for change in log} == {task.uuid for task in await owner.tasks()}
    await engine.assert_sound()


async def test_two_stores_on_one_database_see_the_same(engine: Engine, store: Store) -> None:
    async with engine.open() as second:
        owner = await new_owner(store)
        twin = Owner(second, owner.user)
        assert second.epoch == store.epoch
        for number in range(20):
            author = (owner, twin)[number % 2]
            [written] = await author.write(CreateTask(None, str(number)))
            assert written.change is not None
            assert written.change.seq == number + 1
        assert await owner.tasks() == await twin.tasks()
        assert await owner.log() == await twin.log()
        await second.delete_user(owner.user, READING)
        assert await store.token_status(refresh_token(owner.id, None)) is None


async def test_epoch_is_one_for_all_processes(engine: Engine, store: Store) -> None:
    async with child(open_one, engine.url) as process:
        await process.ready()
        process.start()
        assert await process.hear() == {"epoch": store.epoch}


async def test_what_another_process_writes_is_not_missed(owner: Owner, elsewhere: Store) -> None:
    there = Owner(elsewhere, owner.user)
    for number in range(20):
        await (owner if number % 3 else there).create()
    assert [change.seq for change in await owner.log()] == list(range(1, 21))
    await elsewhere.delete_user(owner.user, READING)
    with pytest.raises(UserGone):
        await owner.create()
