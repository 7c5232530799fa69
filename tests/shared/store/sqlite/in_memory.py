"""A database in memory that groups are committed to as to a store's."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Final, cast

from shared.store.sqlite import accounts as accounts_sql
from shared.store.sqlite.checkpoints import Checkpoints
from shared.store.sqlite.group_commit import GroupCommit
from shared.store.sqlite.migrate import migrate
from shared.store.sqlite.open_files import OpenFiles
from shared.store.sqlite.transaction import Transaction, Work
from shared.store.sqlite.write_lock import WriteLock
from tests.shared.store.owner import NOW

USERS: Final = 3


class NoFiles:
    """A database in memory has none."""

    def before_commit(self) -> None: ...
    def after_commit(self) -> None: ...


class Database:
    """A database of its own, through the same group commit as a store's."""

    def __init__(self, folder: Path) -> None:
        self._lock = WriteLock(folder / "lock")
        self._commit = GroupCommit(self._lock, Checkpoints(folder / "no log"), cast("OpenFiles", NoFiles()))
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.connection.execute("PRAGMA foreign_keys = ON")
        migrate(self.connection)
        for number in range(USERS):
            accounts_sql.add_user(self.connection, str(number), str(number), "hash", NOW)

    def close(self) -> None:
        self.connection.close()
        self._lock.close()

    def commit(self, group: list[Work]) -> Transaction:
        """As the writer does: begun on the event loop's thread where that may be."""
        begun = self._commit.begin(self.connection, group)
        if begun is None:
            return self._commit.run(self.connection, group)
        return self._commit.finish(self.connection, group, begun)

    def commit_alone(self, work: Work) -> Transaction:
        return self._commit.run(self.connection, [work])

    def rows(self) -> dict[str, list[Any]]:
        """Of each table, in the order in which clients see them; where rows are is no matter."""
        return {
            statement: self.connection.execute(statement).fetchall()
            for statement in (
                "SELECT uuid, user_id, json FROM tasks ORDER BY user_id, id",
                "SELECT * FROM changes ORDER BY position",
                "SELECT * FROM change_anchors",
                "SELECT user_id, seq, tasks, last FROM feeds ORDER BY user_id",
                "SELECT user_id, sid FROM revocations ORDER BY position",
                "SELECT name, seq FROM sqlite_sequence ORDER BY name",
            )
        }
