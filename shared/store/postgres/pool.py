"""Connections to PostgreSQL: a bounded pool, a deadline for everything, one more try where a connection was dead.

No connection has a state of its own (no SET, no LISTEN, no lock of a session), so a pooler may stand between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, TypeVar

import asyncpg

from shared.errors import Unavailable
from shared.postgres_url import PostgresUrl
from shared.store.postgres.errors import AWAY, translated
from shared.store.postgres.pooler import connect

T = TypeVar("T")
Connection = Any
"""An ``asyncpg`` connection of the pool; its proxy has no useful type."""

CONNECTIONS_MAX: Final = 8
DEADLINE_SECONDS: Final = 10.0
CONNECT_SECONDS: Final = 5.0
_IDLE_SECONDS: Final = 300.0
_NO_ANSWER: Final = "PostgreSQL does not answer"


class Pool:
    """Connections are made when they are needed: with a floor, asyncpg would make them while the server is away."""

    def __init__(self, pool: asyncpg.Pool[Any]) -> None:
        self._pool = pool

    async def read(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Do what may be done twice. A connection that the server has closed meanwhile is no reason to fail.

        Raises:
            Unavailable: the database cannot be read now.
        """
        for try_again in (True, False):
            try:
                return await self.use(work)
            except AWAY as error:
                if not try_again:
                    raise translated(error) from error
            except Exception as error:
                reason = translated(error)
                if reason is error:
                    raise
                raise reason from error
        raise AssertionError

    async def use(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Do something with a connection, once. Raises whatever ``work`` and the driver raise.

        It is done in a task: asyncpg needs one, and the coroutine that carries out a socket's messages is none.

        Raises:
            Unavailable: the server did not answer in time.
        """
        task = asyncio.ensure_future(self._use(work))
        task.add_done_callback(_retrieve_error)
        try:
            return await task
        finally:
            task.cancel()  # where the caller waits no longer

    async def _use(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        try:
            connection = await self._pool.acquire(timeout=CONNECT_SECONDS)
        except TimeoutError:
            raise Unavailable(_NO_ANSWER) from None
        try:
            return await within_deadline(connection, work(connection))
        finally:
            with suppress(*AWAY):
                await self._pool.release(connection, timeout=CONNECT_SECONDS)


async def within_deadline(connection: Connection, work: Awaitable[T], seconds: float | None = None) -> T:
    """Wait for the work no longer than it may take, by default ``DEADLINE_SECONDS``.

    asyncpg's own time-out asks the server to cancel, and waits for that: on a server that is frozen it takes six times
    as long. So the connection is cut, and the work fails.

    Raises:
        Unavailable: the server did not answer in time; the connection is of no more use.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + (DEADLINE_SECONDS if seconds is None else seconds)
    cut = loop.call_at(deadline, connection.terminate)
    try:
        return await work
    except asyncio.CancelledError:
        connection.terminate()
        raise
    except AWAY:
        if loop.time() >= deadline:
            raise Unavailable(_NO_ANSWER) from None
        raise
    finally:
        cut.cancel()


def _retrieve_error(task: asyncio.Future[Any]) -> None:
    if not task.cancelled():
        task.exception()


def make_pool(url: PostgresUrl) -> asyncpg.Pool[Any]:
    """To be used as an asynchronous context manager. Nothing is connected yet."""
    return asyncpg.create_pool(
        url.dsn,
        min_size=0,
        max_size=CONNECTIONS_MAX,
        max_inactive_connection_lifetime=_IDLE_SECONDS,
        connect=connect,
        timeout=CONNECT_SECONDS,
        reset=_leave_as_it_is,
    )


async def _leave_as_it_is(connection: Connection) -> None:
    """asyncpg would send four statements after each use."""
