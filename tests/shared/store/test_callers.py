"""Who may call a store: also code that is in no task, as the WebSocket server's is until it waits a second time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from shared.models import TaskQuery
from shared.store import Store
from tests.shared.store.owner import Owner

Read = Callable[[Store, Owner], Coroutine[Any, Any, Any]]


async def _without_task(work: Coroutine[Any, Any, Any]) -> Any:
    """Carry it out in callbacks of the event loop."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Any] = loop.create_future()

    def step(_: object = None) -> None:
        assert asyncio.current_task() is None
        try:
            awaited = work.send(None)
        except StopIteration as end:
            ended.set_result(end.value)
        except Exception as error:  # noqa: BLE001 - raised below
            ended.set_exception(error)
        else:
            awaited.add_done_callback(step)

    loop.call_soon(step)
    return await ended


@pytest.mark.parametrize(
    "read",
    [
        lambda store, owner: store.tasks(owner.id, TaskQuery()),
        lambda store, owner: store.seq(owner.id),
        lambda store, owner: store.token_status(owner.access_token(None)),
        lambda store, owner: store.changes(owner.id, store.epoch, 0, 10),
    ],
    ids=["list", "seq", "token status", "changes"],
)
async def test_a_store_is_read_without_a_task(store: Store, owner: Owner, read: Read) -> None:
    await owner.create()
    assert await _without_task(read(store, owner)) == await read(store, owner)
