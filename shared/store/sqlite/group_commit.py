"""Group commit: a group of writes is one transaction, under a lock for all processes."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from shared.decisions.tasks import BatchRequest, WriteRequest
from shared.errors import FatalError, Unavailable
from shared.store.sqlite.checkpoints import BUSY_TIMEOUT_MS, Checkpoints
from shared.store.sqlite.connections import roll_back
from shared.store.sqlite.errors import translated
from shared.store.sqlite.feeds import FeedCache
from shared.store.sqlite.meta import stamp
from shared.store.sqlite.open_files import OpenFiles
from shared.store.sqlite.transaction import Transaction, Work, carry_out
from shared.store.sqlite.write_lock import START_TIMEOUT, WriteLock

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
        self._feeds = FeedCache()

    def run(self, connection: sqlite3.Connection, group: Sequence[Work]) -> Transaction:
        """Do all of it on the connection's thread, where it may wait for the lock.

        Raises:
            FatalError: nobody may be told that anything was written.
        """
        try:
            with self._lock.held():
                transaction = self._transact(connection, group)
                self._checkpoint(connection)
        except FatalError:
            raise
        except Unavailable as error:
            self.failure = error
            return Transaction([error] * len(group))
        return transaction

    def begin(self, connection: sqlite3.Connection, group: Sequence[Work]) -> Transaction | None:
        """Do all but the commit on the calling thread, the event loop's, and never wait; ``finish`` must follow.

        Two threads that both run Python take turns at every statement, so as a rule only the commit is left to the
        connection's thread.

        Returns:
            What is done, should the commit succeed. ``None``: nothing was done, because the lock is not free at this
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
            return carry_out(connection, self._feeds, group)
        except Exception:  # noqa: BLE001 - the thread comes upon it again, and deals with it
            self._roll_back(connection)
            connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
            self._lock.release()
            return None

    def finish(
        self, connection: sqlite3.Connection, group: Sequence[Work], transaction: Transaction
    ) -> Transaction:
        """Commit on the connection's thread what ``begin`` has done. Raises FatalError, as ``run``."""
        try:
            transaction = self._commit(connection, group, transaction)
            self._checkpoint(connection)
            return transaction
        finally:
            self._lock.release()

    def _transact(self, connection: sqlite3.Connection, group: Sequence[Work]) -> Transaction:
        try:
            connection.execute("BEGIN IMMEDIATE")
            transaction = carry_out(connection, self._feeds, group)
        except Exception as error:  # noqa: BLE001 - whatever it is, the transaction must end
            return self._undo(connection, group, error)
        return self._commit(connection, group, transaction)

    def _commit(
        self, connection: sqlite3.Connection, group: Sequence[Work], transaction: Transaction
    ) -> Transaction:
        try:
            self._files.before_commit()
            connection.execute("COMMIT")
            self._files.after_commit()
        except Exception as error:  # noqa: BLE001 - as above
            return self._undo(connection, group, error)
        self.failure = None
        return transaction

    def _undo(self, connection: sqlite3.Connection, group: Sequence[Work], error: Exception) -> Transaction:
        """One piece's defect must not fail its neighbours: each is run by itself. An unusable database fails all."""
        self._roll_back(connection)
        error = translated(error)
        if isinstance(error, Unavailable):
            self.failure = error
        if isinstance(error, FatalError):
            raise error
        if len(group) == 1 or isinstance(error, Unavailable):
            return Transaction([error] * len(group))
        together = Transaction()
        for work in group:
            together.append(self._transact(connection, [work]))
        return together

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        self._feeds.clear()
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
            FatalError: see ``OpenFiles``.
        """
        try:
            if self._files.look():
                with self._lock.held():
                    self._files.before_commit()
            self._checkpoint_when_quiet(connection)
        except FatalError:
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
