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
from shared.store import copying
from shared.store.copies import CopyFailed
from shared.store.opening import open_copy, open_database
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


async def copy_step_by_step(source: str, target: str, page: str) -> None:
    """Copy a database, a page at each line that comes in; say how it begins, how far it has come, how it ends."""
    copying.PAGE = int(page)  # type: ignore[misc]

    def wait(done: int, total: int) -> None:
        say(rows=done)
        sys.stdin.readline()

    try:
        async with open_copy(source, target) as copy:
            start = await copy.begin()
            say(start=start.value, rows=copy.mark.rows, total=copy.total)
            await copy.copy(wait)
            await copy.verify(lambda done, total: None)
            await copy.finish()
    except CopyFailed as error:
        say(failed=str(error))
    else:
        say(whole=True)


async def serve_until_told(url: str) -> None:
    """Have the database open, as a server has it, until killed or until a line comes in."""
    async with open_database(url) as database, database.open_feed("a server"):
        wait_for_start()
