"""A group of writes as one transaction, whose end is always known before anybody is answered.

Writes of tasks are one statement, made on what a query before it has read (``task_writes.py``). Where another process was faster, or
account work is among them, the group is a transaction of several statements, which locks first.

A commit whose answer is lost may have happened, and may still happen. Each process has a row, and each transaction writes its own
number into it: whoever has locked the row sees whether it was committed, and sets the fence that it cannot pass any more. (The id
that PostgreSQL gives a transaction does not tell: after a crash of the server another may get the same.)
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
from shared.store.postgres.task_writes import Number, TaskWrite, make_plan, write, write_locked

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
    """One try to carry out a group. Once ``commit_sent`` is set, only the server knows how it has ended."""

    number: Number
    transaction: Transaction = msgspec.field(default_factory=Transaction)
    commit_sent: bool = False


class _Overtaken(Exception):
    """Nothing was written: another process has written for one of the users since. Or one statement cannot do it."""


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
        carry_out = _carry_out if any(map(callable, group)) else _carry_out_at_once
        for _ in range(_TRIES_MAX):
            attempt = _Attempt(Number(self._id, next(self._numbers)))
            try:
                await self._pool.use(functools.partial(carry_out, group=group, attempt=attempt))
                if attempt.commit_sent:
                    self._committed = attempt.number.number
                return attempt.transaction
            except _Overtaken as error:
                failure = error
            except Exception as error:  # noqa: BLE001 - whatever it is, the commit's end must be known
                if attempt.commit_sent and await self._was_committed(attempt.number.number):
                    return attempt.transaction
                failure = error
                if isinstance(error, OSError) or not isinstance(error, (*RETRIED, *AWAY)):
                    break  # no connection could be opened, or the next try would end as this one
            carry_out = _carry_out  # what was in the way may be again
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
                            lambda connection: _set_fence(connection, Number(self._id, number))
                        )
                    except Exception:  # noqa: BLE001 - whatever it is, to do the group again could do it twice
                        await asyncio.sleep(_SETTLE_PAUSE_SECONDS)
                    else:
                        break
        if committed < self._committed:
            raise Unavailable("PostgreSQL: it is not known whether the write was done")
        self._committed = committed
        return committed == number


async def _write_number(connection: Connection, number: Number) -> None:
    await connection.execute(
        """
        INSERT INTO writers (id, last_number, seen) VALUES ($1, $2, extract(epoch FROM now()))
        ON CONFLICT (id) DO UPDATE SET last_number = excluded.last_number, seen = excluded.seen
        """,
        *number,
    )


async def _set_fence(connection: Connection, number: Number) -> int:
    """From now on nothing is written under that number any more. Returns the last one that was committed.

    Waits until a transaction of the process has ended that has written its number.
    """
    last: int = await connection.fetchval(
        """
        INSERT INTO writers (id, last_number, fence, seen) VALUES ($1, 0, $2, extract(epoch FROM now()))
        ON CONFLICT (id) DO UPDATE SET fence = excluded.fence, seen = excluded.seen
        RETURNING last_number
        """,
        *number,
    )
    return last


async def _carry_out_at_once(connection: Connection, group: Sequence[Work], attempt: _Attempt) -> None:
    """Carry out a group of task writes by one statement. Raises _Overtaken."""
    plan = await make_plan(connection, cast("Sequence[TaskWrite]", group))
    if plan.takes_uuids_again:
        raise _Overtaken
    attempt.transaction = Transaction([*plan.decided.outcomes], plan.decided.changes)
    if plan.decided.changes:
        attempt.commit_sent = True
        if not await write(connection, plan, attempt.number):
            attempt.commit_sent = False
            raise _Overtaken


async def _carry_out(connection: Connection, group: Sequence[Work], attempt: _Attempt) -> None:
    """Carry out a group; a piece that is refused (a TaskbeamError) has written nothing, and fails alone."""
    transaction = attempt.transaction
    await connection.execute(_BEGIN)
    try:
        for is_account_work, run in groupby(group, callable):
            if is_account_work:
                await _do_account_work(connection, transaction, cast("list[AccountWork]", list(run)))
            else:
                decided = await write_locked(connection, cast("list[TaskWrite]", list(run)), attempt.number)
                transaction.outcomes += decided.outcomes
                transaction.changes += decided.changes
        # Last, as the one statement does it: so two transactions of this process do not wait for each other.
        await _write_number(connection, attempt.number)
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
