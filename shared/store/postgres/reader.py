"""Reads of single tasks: those that are asked for while a query is on its way are answered by the next one.

A query costs far more than one more row. Clients that read one after the other wait no longer for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from shared.errors import NotFound
from shared.models import StoredTask
from shared.store.batching import Batcher, Outcome
from shared.store.postgres.pool import Pool
from shared.store.postgres.tasks import read_tasks


class _Wanted(NamedTuple):
    user_id: int
    uuid: str


class TaskReader:
    """``serve`` and ``close`` as ``Batcher`` has them."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._batcher: Batcher[_Wanted] = Batcher(self._read)

    def submit(self, user_id: int, uuid: str) -> asyncio.Future[StoredTask]:
        """Read a task of that user. Raises as ``Batcher.submit``; as the future's error, NotFound, too."""
        return self._batcher.submit(_Wanted(user_id, uuid))

    async def serve(self) -> None:
        await self._batcher.serve()

    def close(self) -> None:
        self._batcher.close()

    async def _read(self, group: Sequence[_Wanted]) -> list[Outcome]:
        try:
            tasks = await self._pool.read(
                lambda connection: read_tasks(connection, {each.uuid for each in group})
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, later reads may succeed
            return [error] * len(group)
        outcomes: list[Outcome] = []
        for user_id, uuid in group:
            owner, task = tasks.get(uuid, (None, None))
            outcomes.append(task if owner == user_id else NotFound())
        return outcomes
