"""A group of writes as one transaction, whose end is always known before anybody is answered.

A commit whose answer is lost may have happened. Each process has a row, and each transaction writes its own number into it:
whoever has locked the row sees whether it was committed. (The id that PostgreSQL gives a transaction does not tell: after a
crash of the server another may get the same.)
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any, Final, cast

import msgspec

from shared.errors import TaskbeamError, Unavailable
from shared.models import Change
from shared.store import CommitListener
from shared.store.batching import Outcome
from shared.store.postgres.errors import AWAY, RETRIED, translated
from shared.store.postgres.pool import Connection, Pool
from shared.store.postgres.tasks import TaskWrite, write_tasks

AccountWork = Callable[[Connection], Awaitable[Any]]
"""Run whole: no other work of the group comes between its statements. It may be run again."""
Work = TaskWrite | AccountWork

_TRIES_MAX: Final = 5
_SETTLE_SECONDS: Final = 5.0
_SETTLE_PAUSE_SECONDS: Final = 0.2
# A host that is gone in the middle of a transaction holds up those that write for the same users, so not for long.
# What ends a token here is a row of revocations, too; see migrations/0003_silent_ends.sql.
_BEGIN: Final = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '2s'; SET LOCAL taskbeam.writes_revocations = 'on'"


class Transaction(msgspec.Struct):
    """What a transaction has done: an outcome for each piece of work, and what there is to tell of it."""

    outcomes: list[Outcome] = msgspec.field(default_factory=list)
    changes: list[Change] = msgspec.field(default_factory=list)
    others: bool = False


class _Attempt(msgspec.Struct):
    """One try to carry out a group. Once ``commit_sent`` is set, only the server knows how it has ended.

    Args:
        writer: the id of the process's row in ``writers``.
        number: its own.
    """

    writer: int
    number: int
    transaction: Transaction = msgspec.field(default_factory=Transaction)
    commit_sent: bool = False


class Writer:
    """Runs groups for a ``Batcher``; the listeners hear of a commit before its callers."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._id = secrets.randbits(63)
        self._numbers = itertools.count(1)
        self._committed = 0  # the number of the last attempt that is known to be
        self._listeners: list[CommitListener] = []
        self.failure: Unavailable | None = None
        """Why nothing can be written, as far as the last try tells."""

    def listen(self, listener: CommitListener) -> None:
        self._listeners.append(listener)

    async def run(self, group: Sequence[Work]) -> list[Outcome]:
        """One outcome for each piece of work, after the commit."""
        try:
            done = await self._transact(group)
        except Unavailable as error:
            self.failure = error
            return [error] * len(group)
        except Exception as error:  # noqa: BLE001 - a defect of one must not fail its neighbours
            if len(group) == 1:
                return [error]
            return [outcome for work in group for outcome in await self.run([work])]
        self.failure = None
        if done.changes or done.others:
            for listener in self._listeners:
                listener(done)
        return done.outcomes

    async def _transact(self, group: Sequence[Work]) -> Transaction:
        """Raises Unavailable."""
        failure: Exception | None = None
        for _ in range(_TRIES_MAX):
            attempt = _Attempt(self._id, next(self._numbers))
            try:
                await self._pool.use(functools.partial(_carry_out, group=group, attempt=attempt))
                self._committed = attempt.number
                return attempt.transaction
            except Exception as error:  # noqa: BLE001 - whatever it is, the commit's end must be known
                if attempt.commit_sent and await self._was_committed(attempt.number):
                    return attempt.transaction
                failure = error
                if isinstance(error, OSError) or not isinstance(error, (*RETRIED, *AWAY)):
                    break  # no connection could be opened, or the next try would end as this one
        assert failure is not None
        reason = translated(failure)
        if isinstance(failure, RETRIED):
            reason = Unavailable(f"PostgreSQL: {failure}")
        if reason is failure:
            raise failure
        raise reason from failure

    async def _was_committed(self, number: int) -> bool:
        """Whether the attempt of that number was. Raises Unavailable where the server does not say it in time.

        Nor does a server that has lost an earlier transaction of this process: another one, after a failover, or a copy
        from before. Then nothing is guessed: the client is told that it has to find out.
        """
        committed = -1
        with suppress(TimeoutError):
            async with asyncio.timeout(_SETTLE_SECONDS):
                while True:
                    try:
                        committed = await self._pool.use(
                            lambda connection: _write_number(connection, self._id, None)
                        )
                    except Exception:  # noqa: BLE001 - whatever it is, to do the group again could do it twice
                        await asyncio.sleep(_SETTLE_PAUSE_SECONDS)
                    else:
                        break
        if committed < self._committed:
            raise Unavailable("PostgreSQL: it is not known whether the write was done")
        self._committed = committed
        return committed == number


async def _write_number(connection: Connection, writer: int, number: int | None) -> int:
    """Write the number of the transaction into the process's row, or leave the one that is there: it is returned.

    Waits until a transaction of the process has ended that still goes on.
    """
    last: int = await connection.fetchval(
        """
        INSERT INTO writers (id, last_number, seen) VALUES ($1, coalesce($2::bigint, 0), extract(epoch FROM now()))
        ON CONFLICT (id) DO UPDATE SET last_number = coalesce($2, writers.last_number), seen = excluded.seen
        RETURNING last_number
        """,
        writer,
        number,
    )
    return last


async def _carry_out(connection: Connection, group: Sequence[Work], attempt: _Attempt) -> None:
    """Carry out a group; a piece that is refused (a TaskbeamError) has written nothing, and fails alone."""
    transaction = attempt.transaction
    await connection.execute(_BEGIN)
    try:
        await _write_number(connection, attempt.writer, attempt.number)
        for is_account_work, run in groupby(group, callable):
            if is_account_work:
                await _do_account_work(connection, transaction, cast("list[AccountWork]", list(run)))
            else:
                outcomes, changes = await write_tasks(connection, cast("list[TaskWrite]", list(run)))
                transaction.outcomes += outcomes
                transaction.changes += changes
    except Exception:
        if not connection.is_closed():
            await connection.execute("ROLLBACK")
        raise
    attempt.commit_sent = True
    await connection.execute("COMMIT")


async def _do_account_work(
    connection: Connection, transaction: Transaction, works: Sequence[AccountWork]
) -> None:
    for work in works:
        try:
            transaction.outcomes.append(await work(connection))
            transaction.others = True
        except TaskbeamError as refusal:
            transaction.outcomes.append(refusal)
