"""Two processes that write to one file at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from shared.models import CreateTask
from shared.store import Store, open_store
from tests.shared.store.engines import engine_settings
from tests.shared.store.owner import ENOUGH, NOW, READING, Owner, new_owner, refresh_token
from tests.shared.store.sqlite.children import child
from tests.shared.store.sqlite.sqlite_file import assert_sound

TASKS = 8
WRITES_EACH = 125  # times 8 tasks, times 2 processes: 2,000


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(engine_settings("sqlite", tmp_path)) as store:
        yield store


async def test_both_write_at_once_and_neither_is_refused(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "taskbeam.db"
    owners = [await new_owner(store) for _ in range(4)]
    ids = ",".join(str(owner.id) for owner in owners)
    async with AsyncExitStack() as stack:
        writers = [
            await stack.enter_async_context(child("write-many", path, ids, TASKS, WRITES_EACH))
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
    assert_sound(path)


async def test_two_stores_on_one_file_see_the_same(store: Store, tmp_path: Path) -> None:
    async with open_store(engine_settings("sqlite", tmp_path)) as second:
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
        assert await store.position() == await second.position()
        await second.delete_user(owner.user, READING)
        assert await store.token_status(refresh_token(owner.id, None)) is None


async def test_epoch_is_one_for_all_processes(store: Store, tmp_path: Path) -> None:
    async with child("open", tmp_path / "taskbeam.db") as process:
        await process.ready()
        process.start()
        assert await process.hear() == {"epoch": store.epoch}


async def test_positions_of_two_stores_are_one_order(store: Store, tmp_path: Path) -> None:
    async with open_store(engine_settings("sqlite", tmp_path)) as second:
        owners = [await new_owner(store), await new_owner(store)]
        changes = []
        for number in range(30):
            writer = (store, second)[number % 3 == 0]
            written = await writer.write(
                owners[number % 2].id, CreateTask(None, "a"), now=NOW, max_tasks=ENOUGH
            )
            changes.append(written.change)
        positions = [change.position for change in changes if change]
        assert positions == list(range(positions[0], positions[0] + 30))
        start = (await store.position())._replace(changes=positions[0] - 1)
        assert (await store.tail(start)).changes == (await second.tail(start)).changes == changes
