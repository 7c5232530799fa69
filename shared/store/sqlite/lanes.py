"""SQLite connections as lanes: all work that waits for a connection is done together.

A hop to aiosqlite's thread and a commit cost far more than a statement, so they are shared. The
writer lane takes whatever waits into one transaction (group commit); a reader lane answers
whatever waits from one snapshot. Work is a function, run whole: no other work can come between
its statements, and a caller that is cancelled meanwhile leaves nothing half done. What never
waits runs on the event loop: short reads (``HereLane``), and the writer's statements, but not its
commit.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import aiosqlite

from shared.errors import TaskbeamError, Unavailable

T = TypeVar("T")
Work = Callable[[Any], Any]
"""Of a reader a function of its connection, of the writer one of the transaction's unit of work."""
Outcome = Any | BaseException
"""What the work returned, or the error that it raised."""
RunGroup = Callable[[sqlite3.Connection, Sequence[Work]], list[Outcome]]
FinishGroup = Callable[[sqlite3.Connection], list[Outcome]]

_GROUP_MAX: Final = 256  # bounds how long the first of a group waits for the last
_WAITING_MAX: Final = 10_000
_RETURN_SECONDS: Final = 0.0002  # for each: above what an answer and the next request take the loop
_QUIET_TURNS: Final = 3  # of the loop: as many as aiohttp takes from a request's bytes to the work
_IDLE_SECONDS: Final = 1.0

# SQLite's primary result codes that say "not now", not "wrong": BUSY, LOCKED, NOMEM, READONLY, IOERR,
# CORRUPT, FULL, CANTOPEN, PROTOCOL, NOTADB.
_UNAVAILABLE: Final = frozenset({5, 6, 7, 8, 10, 11, 13, 14, 15, 26})


def translated(error: sqlite3.Error) -> Exception:
    """``Unavailable`` where the database is at fault, the error itself where we are."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in _UNAVAILABLE:
        return Unavailable(f"SQLite: {error}")
    return error


def plain(connection: aiosqlite.Connection) -> sqlite3.Connection:
    """The connection itself, as its own thread has it.

    aiosqlite has no public way to it; pyproject.toml holds its minor version for this line.
    """
    return connection._conn


async def on_thread(connection: aiosqlite.Connection, function: Callable[[sqlite3.Connection], T]) -> T:
    """Run a function of the plain connection, whole, on the connection's own thread.

    That is asked for at once, before anything is awaited. As above, there is no public way.
    """
    result: T = await connection._execute(function, plain(connection))  # type: ignore[no-untyped-call]
    return result


class Lane:
    """One connection, the work that waits for it, and the loop that serves it.

    Args:
        connection: an open aiosqlite connection in autocommit mode.
        run_group: runs on the connection's thread; returns one outcome for each piece of work.
        begin_here: may do a part on the event loop, which never waits there; what is left for the thread is returned.
        on_group: called on the event loop with the outcomes, before any caller gets its own; should it raise, nobody
            does, and the lane ends.
        on_idle: runs on the connection's thread whenever nothing has come for a second.
        reunite: whether a group is dear enough to wait for those who were answered a moment ago, see ``_reunite``.
    """

    def __init__(
        self,
        connection: aiosqlite.Connection,
        run_group: RunGroup,
        begin_here: Callable[[sqlite3.Connection, Sequence[Work]], FinishGroup | None] | None = None,
        on_group: Callable[[list[Outcome]], None] | None = None,
        on_idle: Callable[[sqlite3.Connection], None] | None = None,
        reunite: bool = False,
    ) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._run_group = run_group
        self._begin_here = begin_here
        self._on_group = on_group
        self._on_idle = on_idle
        self._is_reuniting = reunite
        self._waiting: deque[tuple[Work, asyncio.Future[Any]]] = deque()
        self._group: list[tuple[Work, asyncio.Future[Any]]] = []  # in hand
        self._wanted = asyncio.Event()
        self._closing = False

    def run(self, work: Callable[[Any], T]) -> asyncio.Future[T]:
        """Have the work done; the future has its result, for the writer after the commit.

        A caller that is cancelled while it waits learns nothing: the work is done whole or not at all.

        Raises:
            Unavailable: too much is waiting, or the lane was closed. As the future's error: the database cannot be
                used now.
        """
        if self._closing or len(self._waiting) >= _WAITING_MAX:
            raise Unavailable("closing" if self._closing else "too much work is waiting for the database")
        future: asyncio.Future[T] = self._loop.create_future()
        self._waiting.append((work, future))
        self._wanted.set()
        return future

    async def serve(self) -> None:
        """Do the waiting work, group after group, until ``close``; to be run as one supervised task.

        However it ends, nobody is left waiting.
        """
        try:
            await self._serve()
        finally:
            self._closing = True
            for _, future in (*self._group, *self._waiting):
                if not future.done():
                    future.set_exception(Unavailable("the store was closed"))

    async def _serve(self) -> None:
        while not (self._closing and not self._waiting):
            try:
                async with asyncio.timeout(None if self._on_idle is None else _IDLE_SECONDS):
                    await self._wanted.wait()
            except TimeoutError:
                if self._on_idle is not None:
                    await on_thread(self._connection, self._on_idle)
            self._wanted.clear()
            while group := self._next_group():
                self._group = group
                await self._do(group)
                if self._is_reuniting and len(self._waiting) < len(group) / 2:
                    await self._reunite(len(group))

    async def _reunite(self, answered: int) -> None:
        """Turn the loop until as many have come as were answered, or a few turns bring nobody, or it takes too long.

        Many were answered just now, and perhaps ask again at once, while few had to wait. As a group of their own
        before all the others the few would stay that for ever, and their commit costs nearly as much as a large one.
        """
        quiet = 0
        enough, deadline = len(self._waiting) + answered, self._loop.time() + answered * _RETURN_SECONDS
        while quiet < _QUIET_TURNS and len(self._waiting) < enough and self._loop.time() < deadline:
            before = len(self._waiting)
            await asyncio.sleep(0)
            quiet = 0 if len(self._waiting) > before else quiet + 1

    def close(self) -> None:
        """Refuse new work; ``serve`` returns when what waits is done."""
        self._closing = True
        self._wanted.set()

    def _next_group(self) -> list[tuple[Work, asyncio.Future[Any]]]:
        group: list[tuple[Work, asyncio.Future[Any]]] = []
        while self._waiting and len(group) < _GROUP_MAX:
            work, future = self._waiting.popleft()
            if not future.done():  # its caller was cancelled before the work began
                group.append((work, future))
        return group

    async def _do(self, group: list[tuple[Work, asyncio.Future[Any]]]) -> None:
        work = [item for item, _ in group]
        finish = None
        if self._begin_here is not None:
            finish = self._begin_here(plain(self._connection), work)
        outcomes = await on_thread(
            self._connection, finish or (lambda connection: self._run_group(connection, work))
        )
        if all(isinstance(outcome, Unavailable) for outcome in outcomes):
            # What has come meanwhile would wait as long for the same answer.
            waiting, self._waiting = self._waiting, deque()
            group = self._group = [*group, *waiting]
            outcomes = [*outcomes, *[outcomes[0]] * len(waiting)]
        if self._on_group is not None:
            self._on_group(outcomes)
        settle(group, outcomes)


class HereLane:
    """Reads of a few rows on the event loop itself: to hop to a thread takes far longer.

    All that one turn of the loop asks for is answered at its end, from one snapshot.

    Args:
        connection: a reader of this thread's, which never waits for a lock.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[Work, asyncio.Future[Any]]] = []
        self._closed = False

    def run(self, work: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """The future's error is Unavailable when the database is not free at this moment.

        Raises:
            Unavailable: the lane was closed.
        """
        if self._closed:
            raise Unavailable("the store was closed")
        future: asyncio.Future[T] = self._loop.create_future()
        if not self._waiting:
            self._loop.call_soon(self._answer)
        self._waiting.append((work, future))
        return future

    def close(self) -> None:
        """Answer what waits, and refuse what comes. The connection stays open."""
        self._closed = True
        while self._waiting:
            self._answer()

    def _answer(self) -> None:
        group, self._waiting = self._waiting[:_GROUP_MAX], self._waiting[_GROUP_MAX:]
        if self._waiting:
            self._loop.call_soon(self._answer)
        if group:  # none when the lane was closed meanwhile
            settle(group, read_group(self._connection, [work for work, _ in group]))


def settle(group: Sequence[tuple[Work, asyncio.Future[Any]]], outcomes: Sequence[Outcome]) -> None:
    """Give each caller its outcome; who was cancelled has no use for it."""
    for (_, future), outcome in zip(group, outcomes, strict=True):
        if future.done():
            continue
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)


def read_group(connection: sqlite3.Connection, group: Sequence[Work]) -> list[Outcome]:
    """Answer all from one snapshot."""
    outcomes: list[Outcome] = []
    try:
        connection.execute("BEGIN")
        for work in group:
            try:
                outcomes.append(work(connection))
            except TaskbeamError as refusal:
                outcomes.append(refusal)
        connection.execute("COMMIT")
    except Exception as error:  # noqa: BLE001 - whatever it is, the transaction must end
        roll_back(connection)
        return alone_or_failed(group, error, lambda work: read_group(connection, [work]))
    return outcomes


def roll_back(connection: sqlite3.Connection) -> None:
    """Undo the open transaction, if there is one."""
    if connection.in_transaction:  # some errors, a full disk for one, have rolled back already
        connection.execute("ROLLBACK")


def alone_or_failed(
    group: Sequence[Work], error: Exception, run_alone: Callable[[Work], list[Outcome]]
) -> list[Outcome]:
    """One piece's defect must not fail its neighbours: run each by itself. An unusable database fails all."""
    if isinstance(error, sqlite3.Error):
        error = translated(error)
    if len(group) == 1 or isinstance(error, Unavailable):
        return [error] * len(group)
    return [outcome for work in group for outcome in run_alone(work)]
