"""Makes users and tasks for measurements: ``python -m benchmarks.seed --users 300 --tasks 50``.

User number 1 is ``bench`` with ``bench-password``. It writes to the database in the environment's settings, which
should be new.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from shared.auth.password_hashes import hash_password
from shared.clock import system_clock
from shared.models import CreateTask
from shared.settings import Settings, load_settings
from shared.store import Store
from shared.store.opening import open_database

USER: Final = "bench"
PASSWORD: Final = "bench-password"
PASSWORD_ROUNDS: Final = 12  # the default
DESCRIPTION: Final = "Semi-skimmed, two litres; and the dark rye from the corner shop"
_AT_ONCE: Final = 256  # the store's group size
_TASKS_AT_ONCE: Final = 10
_NO_LIMIT: Final = 10_000_000


@asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[Store]:
    """The store alone, without the rest of its database."""
    async with open_database(settings.database_url) as database:
        yield database.store


async def add_users(store: Store, count: int, rounds: int = PASSWORD_ROUNDS) -> None:
    """Users 1 to ``count``; all have the same password, hashed once."""
    password = hash_password(PASSWORD, rounds)

    async def add(number: int) -> None:
        name = USER if number == 1 else f"{USER}{number}"
        await store.add_user(name, name, password, system_clock())

    await add(1)  # first: ids follow the order of creation
    await _for_each(range(2, count + 1), add)


async def add_tasks(store: Store, users: range, each: int) -> None:
    """Give each user ``each`` tasks, a few at a time, so that the rows of different users mix like in practice."""
    for first in range(0, each, _TASKS_AT_ONCE):
        numbers = range(first, min(first + _TASKS_AT_ONCE, each))
        tasks = [CreateTask(None, f"Task seq={number};", DESCRIPTION) for number in numbers]

        async def write(user_id: int, tasks: list[CreateTask] = tasks) -> None:
            await store.write_all(user_id, tasks, now=system_clock(), max_tasks=_NO_LIMIT)

        await _for_each(users, write)


async def _for_each(numbers: range, act: Callable[[int], Awaitable[None]]) -> None:
    """Call ``act`` for each number, a bounded number of calls at a time."""
    for first in range(0, len(numbers), _AT_ONCE):
        await asyncio.gather(*[act(number) for number in numbers[first : first + _AT_ONCE]])


async def _seed(users: int, tasks: int) -> None:
    settings = load_settings(os.environ)
    async with open_store(settings) as store:
        await add_users(store, users, settings.bcrypt_rounds)
        await add_tasks(store, range(1, users + 1), tasks)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=300)
    parser.add_argument("--tasks", type=int, default=0, help="of each user")
    arguments = parser.parse_args()
    asyncio.run(_seed(arguments.users, arguments.tasks))
