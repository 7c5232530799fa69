"""What other processes do to a database in these tests: ``python -m tests.shared.store.sqlite.programs <name> <arguments>``.

Each says ``ready`` when it could begin and begins when a line comes in; what it found is JSON, a line each.
"""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import itertools
import json
import os
import resource
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from shared.clock import system_clock
from shared.errors import TaskbeamError, Unavailable
from shared.models import CreateTask, TaskQuery
from shared.settings import Settings, load_settings
from shared.store import open_store
from shared.store.sqlite.writer import WriteLock


def settings_of(path: str | Path) -> Settings:
    return load_settings({"TASKBEAM_DATABASE_URL": f"sqlite:///{path}"})


def say(**found: object) -> None:
    print(json.dumps(found), flush=True)


def wait_for_start() -> None:
    say(ready=True)
    sys.stdin.readline()


async def open_one(path: str) -> None:
    """Open the store, which makes the database; say its epoch, or what went wrong."""
    wait_for_start()
    try:
        async with open_store(settings_of(path)) as store:
            say(epoch=store.epoch)
    except Unavailable as error:
        say(unavailable=error.reason)


async def write_many(path: str, user_ids: str, tasks: str, writes: str) -> None:
    """Many tasks that write at once; say what failed and how long the slowest write took."""
    users = [int(user_id) for user_id in user_ids.split(",")]
    errors: list[str] = []
    slowest = 0.0
    async with open_store(settings_of(path)) as store:
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


async def write_until_killed(path: str, user_id: str) -> None:
    """Eight tasks that write without end; say what was acknowledged."""
    async with open_store(settings_of(path)) as store:
        wait_for_start()

        async def write(number: int) -> None:
            for index in itertools.count():
                operations = [CreateTask(None, f"{number}.{index}")] * (index % 3 + 1)
                written = await store.write_all(
                    int(user_id), operations, now=system_clock(), max_tasks=1_000_000
                )
                say(acknowledged=[result.task.uuid for result in written])

        await asyncio.gather(*(write(number) for number in range(8)))


async def hold_lock(path: str) -> None:
    """Hold the write lock until killed, or until a line comes in."""
    with WriteLock(Path(path + "-lock")).held():
        wait_for_start()
    say(released=True)


async def hold_transaction(path: str) -> None:
    """Hold the write lock and an unfinished transaction, as a process does that is killed while it writes."""
    connection = sqlite3.connect(path, isolation_level=None)
    with WriteLock(Path(path + "-lock")).held():
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE feeds SET seq = seq + 1000, tasks = tasks + 1000")
        connection.execute("DELETE FROM tasks")
        wait_for_start()


async def hold_checkpoint_lock(path: str) -> None:
    """Hold the lock in SQLite's shared memory that a checkpoint takes, until killed or until a line comes in."""
    shared_memory = os.open(path + "-shm", os.O_RDWR)
    fcntl.lockf(shared_memory, fcntl.LOCK_EX, 1, 121)  # sqlite.org/walformat.html#wal_locks
    wait_for_start()


async def open_without_privileges(path: str) -> None:
    """As ``open_one``; a root without capabilities may do what a file's owner may."""
    if os.geteuid() == 0:
        header = (ctypes.c_uint32 * 2)(0x2008_0522, 0)  # _LINUX_CAPABILITY_VERSION_3, this thread
        none = (ctypes.c_uint32 * 6)()
        if ctypes.CDLL(None, use_errno=True).capset(header, none) != 0:
            raise OSError(ctypes.get_errno(), "capset")
    await open_one(path)


async def fill_disk(path: str, user_id: str) -> None:
    """Write until files cannot grow any more, then with room again; say what came of each phase."""
    big = "d" * 10_000
    async with open_store(settings_of(path)) as store:
        wait_for_start()

        async def write() -> str | None:
            """The uuid of what was written, ``None`` when there was no room."""
            try:
                written = await store.write(
                    int(user_id), CreateTask(None, "a", big), now=system_clock(), max_tasks=1_000_000
                )
            except Unavailable:
                return None
            return written.task.uuid

        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, hard))
        before: list[str] = []
        while (uuid := await write()) is not None:
            before.append(uuid)
        full = await asyncio.gather(*(write() for _ in range(20)))
        readable = (await store.tasks(int(user_id), TaskQuery())).count
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        after = await asyncio.gather(*(write() for _ in range(20)))
        say(before=before, written_when_full=[uuid for uuid in full if uuid], readable=readable, after=after)


PROGRAMS: Final[dict[str, Callable[..., Awaitable[None]]]] = {
    "open": open_one,
    "open-without-privileges": open_without_privileges,
    "write-many": write_many,
    "write-until-killed": write_until_killed,
    "hold-lock": hold_lock,
    "hold-transaction": hold_transaction,
    "hold-checkpoint-lock": hold_checkpoint_lock,
    "fill-disk": fill_disk,
}


async def main(name: str, *arguments: str) -> None:
    await PROGRAMS[name](*arguments)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
