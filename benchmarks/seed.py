"""Make users to measure with: ``python -m benchmarks.seed --users 300``; ``bench`` with ``bench-password`` is number 1.

Writes to the database of the environment's settings, which should be a new one.
"""

from __future__ import annotations

import argparse
import asyncio
import os

from shared.clock import system_clock
from shared.passwords import hash_password
from shared.settings import load_settings
from shared.store import open_store


async def seed(users: int) -> None:
    """Users 1 to ``users``; all have the same password, hashed once."""
    settings = load_settings(os.environ)
    password = hash_password("bench-password", settings.bcrypt_rounds)
    async with open_store(settings) as store:
        for number in range(1, users + 1):
            name = "bench" if number == 1 else f"bench{number}"
            await store.add_user(name, name, password, system_clock())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=300)
    asyncio.run(seed(parser.parse_args().users))
