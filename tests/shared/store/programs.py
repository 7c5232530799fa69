"""Programs for `tests.shared.store.children`: other processes that use a store."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time

from shared.clock import system_clock
from shared.errors import TaskbeamError, Unavailable
from shared.models import CreateTask
from tests.support.stores import open_store


def say(**found: object) -> None:
    print(json.dumps(found), flush=True)


def wait_for_start() -> None:
    say(ready=True)
    sys.stdin.readline()


async def open_one(url: str) -> None:
    """Open the store, which makes the database; say its epoch, or what went wrong."""
    wait_for_start()
    try:
        async with open_store(url) as store:
            say(epoch=store.epoch)
    except Unavailable as error:
        say(unavailable=error.reason)


async def write_many(url: str, user_ids: str, tasks: str, writes: str) -> None:
    """Many tasks that write at once; say what failed and how long the slowest write took."""
    users = [int(user_id) for user_id in user_ids.split(",")]
    errors: list[str] = []
    slowest = 0.0
    async with open_store(url) as store:
        wait_for_start()

        async def write(number: int) -> None:
            nonlocal slowest
            for index in range(int(writes)):
                began = time.monotonic()
                try:
                    await store.write_all(
                        users[(number + index) % len(users)],
                        [CreateTask(None, "a")] * (index % 3 + 1),
                        now=system_clock(),
                        max_tasks=1_000_000,
                    )
                except TaskbeamError as error:
                    errors.append(f"{type(error).__name__} {getattr(error, 'reason', '')}")
                slowest = max(slowest, time.monotonic() - began)

        await asyncio.gather(*(write(number) for number in range(int(tasks))))
    say(errors=errors, slowest=slowest)


async def write_until_killed(url: str, user_id: str) -> None:
    """Eight tasks that write without end; say what was acknowledged."""
    async with open_store(url) as store:
        wait_for_start()

        async def write(number: int) -> None:
            for index in itertools.count():
                operations = [CreateTask(None, f"{number}.{index}")] * (index % 3 + 1)
                written = await store.write_all(
                    int(user_id), operations, now=system_clock(), max_tasks=1_000_000
                )
                say(acknowledged=[result.task.uuid for result in written])

        await asyncio.gather(*(write(number) for number in range(8)))
