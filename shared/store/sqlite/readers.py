"""Reads: on the event loop where nothing can take long, on a thread of their own otherwise.

All that waits for a reader at once is answered from one snapshot: each read by itself would pay for a transaction.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import aiosqlite

from shared.errors import TaskbeamError, Unavailable
from shared.store.batching import GROUP_MAX, Batcher, Outcome, settle
from shared.store.sqlite.connections import on_thread, roll_back
from shared.store.sqlite.errors import translated

T = TypeVar("T")
Read = Callable[[sqlite3.Connection], T]
"""Run whole: no other work comes between its statements."""


class InlineReader:
    """Reads of a few rows on the event loop itself: to hop to a thread takes far longer.

    All that one turn of the loop asks for is answered at its end.

    Args:
        connection: a reader of this thread's, which never waits for a lock.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[Read[Any], asyncio.Future[Any]]] = []
        self._closed = False

    def submit(self, read: Read[T]) -> asyncio.Future[T]:
        """The future's error is Unavailable when the database is not free at this moment.

        Raises:
            Unavailable: the reader was closed.
        """
        if self._closed:
            raise Unavailable("the store was closed")
        future: asyncio.Future[T] = self._loop.create_future()
        if not self._waiting:
            self._loop.call_soon(self._answer)
        self._waiting.append((read, future))
        return future

    def close(self) -> None:
        """Answer what waits, and refuse what comes. The connection stays open."""
        self._closed = True
        while self._waiting:
            self._answer()

    def _answer(self) -> None:
        group, self._waiting = self._waiting[:GROUP_MAX], self._waiting[GROUP_MAX:]
        if self._waiting:
            self._loop.call_soon(self._answer)
        if group:  # none when the reader was closed meanwhile
            settle(group, read_group(self._connection, [read for read, _ in group]))


class ThreadReader:
    """Reads that may take long, or have to wait for the database, on the connection's own thread."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        self._batcher: Batcher[Read[Any]] = Batcher(self._answer)

    def submit(self, read: Read[T]) -> asyncio.Future[T]:
        """Raises as ``Batcher.submit``."""
        return self._batcher.submit(read)

    async def serve(self) -> None:
        """See ``Batcher.serve``."""
        await self._batcher.serve()

    def close(self) -> None:
        """See ``Batcher.close``."""
        self._batcher.close()

    async def _answer(self, group: Sequence[Read[Any]]) -> list[Outcome]:
        return await on_thread(self._connection, read_group, group)


def read_group(connection: sqlite3.Connection, group: Sequence[Read[Any]]) -> list[Outcome]:
    """Answer all from one snapshot."""
    outcomes: list[Outcome] = []
    try:
        connection.execute("BEGIN")
        for read in group:
            try:
                outcomes.append(read(connection))
            except TaskbeamError as refusal:
                outcomes.append(refusal)
        connection.execute("COMMIT")
    except Exception as error:  # noqa: BLE001 - whatever it is, the transaction must end
        roll_back(connection)
        reason = translated(error)
        if len(group) == 1 or isinstance(reason, Unavailable):
            return [reason] * len(group)
        # One read's defect must not fail its neighbours: each is run by itself.
        return [outcome for read in group for outcome in read_group(connection, [read])]
    return outcomes
