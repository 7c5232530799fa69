"""A new database is made by the first process that opens it, and is the same one for all."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from tests.shared.store.children import child
from tests.shared.store.engine import Engine
from tests.shared.store.owner import Owner, new_owner
from tests.shared.store.programs import open_one


async def test_store_opened_again_has_its_data_and_its_epoch(engine: Engine) -> None:
    async with engine.open() as store:
        owner = await new_owner(store)
        task, epoch = await owner.create(), store.epoch
    async with engine.open() as store:
        assert await Owner(store, owner.user).tasks() == [task]
        assert store.epoch == epoch
    assert len(epoch) >= 8


async def test_two_databases_have_different_epochs(engine: Engine, tmp_path: Path) -> None:
    epochs = set()
    for name in ("a", "b"):
        async with type(engine)(tmp_path / name).open() as store:
            epochs.add(store.epoch)
    assert len(epochs) == 2


async def test_processes_that_start_at_once_make_one_database(engine: Engine, tmp_path: Path) -> None:
    new = type(engine)(tmp_path / "new")
    async with AsyncExitStack() as stack:
        processes = [await stack.enter_async_context(child(open_one, new.url)) for _ in range(4)]
        for process in processes:
            await process.ready()
        for process in processes:
            process.start()
        heard = [await process.hear() for process in processes]
    assert all(list(said) == ["epoch"] for said in heard), heard
    assert len({said["epoch"] for said in heard}) == 1
    await new.assert_sound()
