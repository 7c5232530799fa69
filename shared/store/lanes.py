"""SQLite connections as lanes: all work that waits for a connection runs on its thread in one hop.

A hop to aiosqlite's thread and a commit cost far more than a statement, so they are shared. The
writer lane takes whatever waits into one transaction (group commit); a reader lane answers
whatever waits from one snapshot. Work is a function of the plain ``sqlite3`` connection, run
whole on the connection's thread: no other work can come between its statements, and a caller
that is cancelled meanwhile leaves nothing half done.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import aiosqlite

from shared.errors import TaskbeamError, Unavailable

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], Any]
Outcome = Any | BaseException
"""What the work returned, or the error that it raised."""

LOCK_TIMEOUT: Final = 5.0
_GROUP_MAX: Final = 256  # bounds how long the first of a group waits for the last
_WAITING_MAX: Final = 10_000
BUSY_TIMEOUT_MS: Final = 5000  # for programs that do not take the write lock, such as SQLite's own shell
_CHECKPOINT_WAIT_MS: Final = 100  # for readers; all writers wait too
_IDLE_SECONDS: Final = 1.0
# A checkpoint holds up all writers for as long as the disk takes. It waits for a quiet second, up to a limit; the
# longer the log, the more often a page was rewritten in it, and is copied once.
_CHECKPOINT_BYTES: Final = 64 * 1024 * 1024
_QUIET_CHECKPOINT_BYTES: Final = 4 * 1024 * 1024

# SQLite's primary result codes that say "not now", not "wrong": BUSY, LOCKED, NOMEM, READONLY, IOERR,
# CORRUPT, FULL, CANTOPEN, PROTOCOL, NOTADB.
_UNAVAILABLE: Final = frozenset({5, 6, 7, 8, 10, 11, 13, 14, 15, 26})

log = logging.getLogger(__name__)


def translated(error: sqlite3.Error) -> Exception:
    """``Unavailable`` where the database is at fault, the error itself where we are."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in _UNAVAILABLE:
        return Unavailable(f"SQLite: {error}")
    return error


async def on_thread(connection: aiosqlite.Connection, function: Callable[[sqlite3.Connection], T]) -> T:
    """Run a function of the plain connection, whole, on the connection's own thread.

    aiosqlite has no public way to do so; pyproject.toml holds its minor version for this line.
    """
    result: T = await connection._execute(function, connection._conn)  # type: ignore[no-untyped-call]
    return result


class WriteLock:
    """The lock that every writing process takes around a transaction, a file beside the database.

    SQLite's own busy handler sleeps up to 100 ms between tries; and a checkpoint beside another
    connection's commit is what SQLite before 3.51.3 can corrupt the file by. Whoever holds this
    lock is alone with the write-ahead log. The kernel drops it when its holder dies.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @contextmanager
    def held(self, timeout: float = LOCK_TIMEOUT) -> Iterator[None]:
        """Blocks the calling thread. Raises Unavailable after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        pause = 0.0001
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise Unavailable("another process holds the write lock") from None
                time.sleep(pause)
                pause = min(pause * 2, 0.002)
        try:
            yield
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._descriptor)


class Lane:
    """One connection, the work that waits for it, and the loop that serves it.

    Args:
        connection: an open aiosqlite connection in autocommit mode.
        run_group: runs on the connection's thread; returns one outcome for each piece of work.
        on_group: called on the event loop with the outcomes, before any caller gets its own.
        on_idle: runs on the connection's thread whenever nothing has come for a second.
    """

    def __init__(
        self,
        connection: aiosqlite.Connection,
        run_group: Callable[[sqlite3.Connection, Sequence[Work]], list[Outcome]],
        on_group: Callable[[list[Outcome]], None] | None = None,
        on_idle: Callable[[sqlite3.Connection], None] | None = None,
    ) -> None:
        self._connection = connection
        self._run_group = run_group
        self._on_group = on_group
        self._on_idle = on_idle
        self._waiting: deque[tuple[Work, asyncio.Future[Any]]] = deque()
        self._group: list[tuple[Work, asyncio.Future[Any]]] = []  # in hand
        self._wanted = asyncio.Event()
        self._closing = False

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Have the work done and return its result, for the writer after the commit.

        A caller that is cancelled while it waits learns nothing: the work is done whole or not at all.

        Raises:
            Unavailable: the database cannot be used now, or too much is waiting.
        """
        if self._closing or len(self._waiting) >= _WAITING_MAX:
            raise Unavailable("closing" if self._closing else "too much work is waiting for the database")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, future))
        self._wanted.set()
        return await future

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
        outcomes = await on_thread(self._connection, lambda connection: self._run_group(connection, work))
        if all(isinstance(outcome, Unavailable) for outcome in outcomes):
            # What has come meanwhile would wait as long for the same answer.
            waiting, self._waiting = self._waiting, deque()
            group = [*group, *waiting]
            outcomes = [*outcomes, *[outcomes[0]] * len(waiting)]
        if self._on_group is not None:
            self._on_group(outcomes)
        settle(group, outcomes)


class HereLane:
    """Reads of single rows on the event loop itself: a row takes some five microseconds, a hop to a thread a hundred.

    All that one turn of the loop asks for is answered at its end, from one snapshot.

    Args:
        connection: a reader of this thread's, which never waits for a lock.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[Work, asyncio.Future[Any]]] = []

    def run(self, work: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """The future's error is Unavailable when the database is not free at this moment."""
        future: asyncio.Future[T] = self._loop.create_future()
        if not self._waiting:
            self._loop.call_soon(self._answer)
        self._waiting.append((work, future))
        return future

    def _answer(self) -> None:
        group, self._waiting = self._waiting[:_GROUP_MAX], self._waiting[_GROUP_MAX:]
        if self._waiting:
            self._loop.call_soon(self._answer)
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
        _roll_back(connection)
        return _alone_or_failed(group, error, lambda work: read_group(connection, [work]))
    return outcomes


class GroupCommit:
    """Runs a group of writes in one transaction, under the write lock, and checkpoints when the log is long."""

    def __init__(self, lock: WriteLock, wal: Path) -> None:
        self._lock = lock
        self._wal = wal
        self._checkpoint_at = _CHECKPOINT_BYTES

    def __call__(self, connection: sqlite3.Connection, group: Sequence[Work]) -> list[Outcome]:
        try:
            with self._lock.held():
                outcomes = self._transact(connection, group)
                if self._wal_bytes() >= self._checkpoint_at:
                    self._checkpoint(connection)
        except Unavailable as error:
            return [error] * len(group)
        return outcomes

    def _transact(self, connection: sqlite3.Connection, group: Sequence[Work]) -> list[Outcome]:
        """One transaction for all; a piece that refuses (a TaskbeamError) has written nothing and fails alone."""
        outcomes: list[Outcome] = []
        try:
            connection.execute("BEGIN IMMEDIATE")
            for work in group:
                try:
                    outcomes.append(work(connection))
                except TaskbeamError as refusal:
                    outcomes.append(refusal)
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - whatever it is, the transaction must end
            _roll_back(connection)
            return _alone_or_failed(group, error, lambda work: self._transact(connection, [work]))
        return outcomes

    def checkpoint_when_quiet(self, connection: sqlite3.Connection) -> None:
        """Empty the log before it is so long that a writer has to."""
        if self._wal_bytes() >= min(_QUIET_CHECKPOINT_BYTES, self._checkpoint_at):
            with suppress(Unavailable), self._lock.held():
                self._checkpoint(connection)

    def _wal_bytes(self) -> int:
        try:
            return self._wal.stat().st_size
        except FileNotFoundError:
            return 0

    def _checkpoint(self, connection: sqlite3.Connection) -> None:
        """Move the write-ahead log into the database file, at a moment when nobody can commit.

        A reader on an old snapshot keeps the log from being emptied; the next try comes when the
        log has grown again.
        """
        size = self._wal_bytes()
        try:
            connection.execute(f"PRAGMA busy_timeout = {_CHECKPOINT_WAIT_MS}")
            busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:  # the commit stands; a full disk must not turn it into a failure
            log.warning("checkpoint failed: %s", error)
            busy = 1
        finally:
            connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        self._checkpoint_at = size + _CHECKPOINT_BYTES if busy else _CHECKPOINT_BYTES


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:  # some errors, a full disk for one, have rolled back already
        connection.execute("ROLLBACK")


def _alone_or_failed(
    group: Sequence[Work], error: Exception, run_alone: Callable[[Work], list[Outcome]]
) -> list[Outcome]:
    """One piece's defect must not fail its neighbours: run each by itself. An unusable database fails all."""
    if isinstance(error, sqlite3.Error):
        error = translated(error)
    if len(group) == 1 or isinstance(error, Unavailable):
        return [error] * len(group)
    return [outcome for work in group for outcome in run_alone(work)]
