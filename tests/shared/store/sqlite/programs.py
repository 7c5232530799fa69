"""Programs for `tests.shared.store.children` that do to SQLite's files what only they know."""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import os
import resource
import sqlite3
from pathlib import Path

from shared.clock import system_clock
from shared.errors import Unavailable
from shared.models import CreateTask, TaskQuery
from shared.store.sqlite.write_lock import WriteLock
from tests.shared.store.programs import open_one, say, wait_for_start
from tests.support.stores import open_store


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


async def open_without_privileges(url: str) -> None:
    """As ``open_one``; a root without capabilities may do what a file's owner may."""
    if os.geteuid() == 0:
        header = (ctypes.c_uint32 * 2)(0x2008_0522, 0)  # _LINUX_CAPABILITY_VERSION_3, this thread
        none = (ctypes.c_uint32 * 6)()
        if ctypes.CDLL(None, use_errno=True).capset(header, none) != 0:
            raise OSError(ctypes.get_errno(), "capset")
    await open_one(url)


async def fill_disk(url: str, user_id: str) -> None:
    """Write until files cannot grow any more, then with room again; say what came of each phase."""
    big = "d" * 10_000
    async with open_store(url) as store:
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
