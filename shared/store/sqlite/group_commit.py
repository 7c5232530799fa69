"""Group commit: a group of writes is one transaction, under a lock for all processes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from shared.errors import FilesChanged, TaskbeamError, Unavailable
from shared.store.batching import Outcome
from shared.store.sqlite.checkpoints import BUSY_TIMEOUT_MS, Checkpoints
from shared.store.sqlite.connections import roll_back
from shared.store.sqlite.errors import alone_or_failed, translated
from shared.store.sqlite.feeds import KnownFeeds
from shared.store.sqlite.meta import stamp
from shared.store.sqlite.open_files import OpenFiles
from shared.store.sqlite.unit_of_work import BatchRequest, Request, UnitOfWork, WriteRequest
from shared.store.sqlite.write_lock import START_TIMEOUT, WriteLock

Work = Callable[[UnitOfWork], Any]
"""Run whole: no other work comes between its statements."""

_ABANDON_TIMEOUT: Final = 2.0
_INLINE_MAX: Final = 256  # operations: bounds how long the loop is held up


class GroupCommit:
    """Carries out a group of writes in one transaction, under the write lock, and checkpoints when the log is long."""

    def __init__(self, lock: WriteLock, checkpoints: Checkpoints, files: OpenFiles) -> None:
        self._lock = lock
        self._checkpoints = checkpoints
        self._files = files
        self.failure: Unavailable | None = None
        """Why nothing can be written, as far as the last try tells."""
        self._version: object = None  # of the data, when nothing was written here for a while
        self._known = KnownFeeds()

    def run(self, connection: sqlite3.Connection, group: Sequence[Work]) -> list[Outcome]:
        """Do all of it on the connection's thread, where it may wait for the lock."""
        try:
            with self._lock.held():
                outcomes = self._transact(connection, group)
                self._checkpoint(connection)
        except Unavailable as error:
            self.failure = error
            return [error] * len(group)
        return outcomes

    def begin(self, connection: sqlite3.Connection, group: Sequence[Work]) -> list[Outcome] | None:
        """Do all but the commit on the calling thread, the event loop's, and never wait; ``finish`` must follow.

        Two threads that both run Python take turns at every statement, so as a rule only the commit is left to the
        connection's thread.

        Returns:
            The outcomes, should the commit succeed. ``None``: nothing was done, because the lock is not free at this
            moment, or there is more to do than the loop may be held up for.
        """
        operations = 0
        for work in group:
            if isinstance(work, WriteRequest):
                operations += 1
            elif isinstance(work, BatchRequest):
                operations += len(work.operations)
            else:
                return None
        if operations > _INLINE_MAX:
            return None
        try:
            self._lock.acquire()
        except Unavailable:
            return None
        try:
            connection.execute("PRAGMA busy_timeout = 0")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
            return self._carry_out(connection, group)
        except Exception:  # noqa: BLE001 - the thread comes upon it again, and deals with it
            self._roll_back(connection)
            connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
            self._lock.release()
            return None

    def finish(
        self, connection: sqlite3.Connection, group: Sequence[Work], outcomes: list[Outcome]
    ) -> list[Outcome]:
        """Commit on the connection's thread what ``begin`` has done."""
        try:
            outcomes = self._commit(connection, group, outcomes)
            self._checkpoint(connection)
            return outcomes
        finally:
            self._lock.release()

    def _transact(self, connection: sqlite3.Connection, group: Sequence[Work]) -> list[Outcome]:
        """One transaction for all; a piece that refuses (a TaskbeamError) has written nothing and fails alone."""
        try:
            connection.execute("BEGIN IMMEDIATE")
            outcomes = self._carry_out(connection, group)
        except Exception as error:  # noqa: BLE001 - whatever it is, the transaction must end
            return self._undo(connection, group, error)
        return self._commit(connection, group, outcomes)

    def _commit(
        self, connection: sqlite3.Connection, group: Sequence[Work], outcomes: list[Outcome]
    ) -> list[Outcome]:
        try:
            self._files.before_commit()
            connection.execute("COMMIT")
            self._files.after_commit()
        except Exception as error:  # noqa: BLE001 - as above
            return self._undo(connection, group, error)
        self.failure = None
        return outcomes

    def _undo(self, connection: sqlite3.Connection, group: Sequence[Work], error: Exception) -> list[Outcome]:
        self._roll_back(connection)
        error = translated(error)
        if isinstance(error, Unavailable):
            self.failure = error
        return alone_or_failed(group, error, lambda work: self._transact(connection, [work]))

    def _carry_out(self, connection: sqlite3.Connection, group: Sequence[Work]) -> list[Outcome]:
        """Within a transaction."""
        outcomes: list[Outcome] = []
        self._known.begin(connection)
        unit = UnitOfWork(connection, self._known)
        unit.look_up([work for work in group if isinstance(work, Request)])
        for work in group:
            try:
                outcomes.append(work(unit))
            except TaskbeamError as refusal:
                outcomes.append(refusal)
        unit.flush()
        return outcomes

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        self._known.forget()
        roll_back(connection)

    def _checkpoint(self, connection: sqlite3.Connection) -> None:
        if self._checkpoints.is_due:
            with suppress(Unavailable):  # what was committed before stays committed
                self._stamp_and_checkpoint(connection)

    def _stamp_and_checkpoint(self, connection: sqlite3.Connection) -> None:
        """Raises Unavailable when the files are not what they have to be, and leaves them alone then."""
        self._files.before_commit()
        if not self._checkpoints.is_retry:
            with suppress(sqlite3.Error):  # a full disk: the checkpoint may make room all the same
                stamp(connection)
        self._checkpoints.run(connection)
        self._files.before_commit()  # what the file contains now is ours

    def when_quiet(self, connection: sqlite3.Connection) -> None:
        """To be called every second in which nothing is written here, on the connection's thread.

        Raises:
            FilesChanged: see ``OpenFiles``.
        """
        try:
            if self._files.look():
                with self._lock.held():
                    self._files.before_commit()
            self._checkpoint_when_quiet(connection)
        except FilesChanged:
            raise
        except (Unavailable, sqlite3.Error):  # it is tried again in a moment
            pass

    def _checkpoint_when_quiet(self, connection: sqlite3.Connection) -> None:
        """Empty the log before it is so long that a writer has to.

        As long as others write, it would only be in their way.
        """
        version = connection.execute(
            "PRAGMA data_version"
        ).fetchone()  # it changes with the commits of others
        if version != self._version:
            self._version = version
            return
        with self._lock.held():
            if self._checkpoints.is_worth_while:
                self._stamp_and_checkpoint(connection)

    def start(self, connection: sqlite3.Connection) -> None:
        """Learn what the database file contains, before anybody else can change it. Raises Unavailable."""
        with self._lock.held(START_TIMEOUT):
            if self._files.wants_checkpoint:
                self._stamp_and_checkpoint(connection)
            self._files.before_commit()

    def abandon(self, connection: sqlite3.Connection) -> None:
        """See ``OpenFiles.abandon``."""
        try:
            with self._lock.held(_ABANDON_TIMEOUT):
                self._files.abandon(connection, alone=True)
        except Unavailable:
            self._files.abandon(connection, alone=False)
