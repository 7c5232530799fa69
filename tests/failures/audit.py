"""Compares the database file with what clients were told. Reads only, also while servers run on it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from tests.failures.ledger import Ledger, key_of
from tests.support.change_links import assert_change_links
from tests.support.reconnecting_clients import Json
from tests.support.task_index import assert_task_index

_HISTORY: Final = 10_000  # changes of each user are kept


class Change(NamedTuple):
    position: int
    user_id: int
    seq: int
    mode: str
    task_id: str
    task: Json | None


class Audit:
    """Replays the change log as it grows; each ``check`` reads one snapshot of the file.

    AssertionError says what is wrong:

    - SQLite's own integrity check does not pass;
    - a user's seqs are not 1, 2, 3, …, or ``feeds`` has another seq or number of tasks;
    - a link or an anchor of the change log is wrong;
    - an index of tasks is wrong;
    - the task rows are not the result of the log: something was written in part;
    - an acknowledged change is missing, or differs from the answer;
    - a batch was written in part, a change is there twice, or nobody asked for it.
    """

    def __init__(self, database: Path, ledger: Ledger) -> None:
        self._database = database
        self._ledger = ledger
        self._position = 0
        self._checked = 0  # acknowledged changes
        self.seqs: dict[int, int] = {}  # the last one of each user
        self._tasks: dict[str, Json] = {}
        self.changes: dict[str, Change] = {}

    def check(self) -> None:
        acknowledged = self._ledger.acknowledged[
            self._checked :
        ]  # read before the snapshot, which must have all of it
        with closing(open_read_only(self._database)) as connection:
            problems = connection.execute("PRAGMA integrity_check").fetchall()
            assert problems == [("ok",)], f"integrity_check: {problems}"
            connection.execute("BEGIN")
            fresh = list(_changes_after(connection, self._position))
            feeds = connection.execute("SELECT user_id, seq FROM feeds").fetchall()
            rows = connection.execute("SELECT uuid, json FROM tasks").fetchall()
            for change in fresh:
                self._replay(change)
            self._compare_rows(feeds, rows)
            assert_change_links(connection)
            assert_task_index(connection)
            connection.execute("COMMIT")
        self._check_batches(fresh)
        for user_id, key, seq, task in acknowledged:
            change = self.changes.get(key)  # type: ignore[assignment]
            assert change is not None, f"acknowledged and lost: {key} of user {user_id}, seq {seq}"
            assert change.user_id == user_id
            assert seq is None or change.seq == seq, f"{key} was acknowledged as {seq}: {change}"
            assert task is None or change.task == task, f"acknowledged as {task}: {change}"
        self._checked += len(acknowledged)

    def check_whole_log(self) -> None:
        """Assert that the log has not changed since it was read, and was not pruned too early."""
        with closing(open_read_only(self._database)) as connection:
            changes = list(_changes_after(connection, 0))
        kept = {(change.user_id, change.seq) for change in self.changes.values()}
        for change in changes:
            assert self.changes[self._key(change)] == change
            kept.discard((change.user_id, change.seq))
        for user_id, seq in kept:
            assert seq <= self.seqs[user_id] - _HISTORY, f"change {seq} of user {user_id} has gone too early"

    def took_effect(self, key: str) -> bool:
        return key in self.changes

    @staticmethod
    def _key(change: Change) -> str:
        return key_of(change.mode, change.task_id, change.task)

    def _replay(self, change: Change) -> None:
        self._position = change.position
        expected = self.seqs.get(change.user_id, 0) + 1
        assert change.seq == expected, f"user {change.user_id}: after seq {expected - 1} comes {change}"
        self.seqs[change.user_id] = change.seq
        key, old = self._key(change), self._tasks.get(change.task_id)
        assert self._ledger.attempted.get(key) == change.user_id, f"nobody asked for {change}"
        assert key not in self.changes, f"twice in the log: {change}, {self.changes[key]}"
        self.changes[key] = change
        if change.task is None:
            assert change.mode == "delete", change
            del self._tasks[change.task_id]
            return
        assert (change.mode == "create") == (old is None), f"{change} follows {old}"
        assert change.task["rev"] == (1 if old is None else old["rev"] + 1), f"{change} follows {old}"
        assert (change.task["uuid"], change.task["user_id"]) == (change.task_id, change.user_id), change
        self._tasks[change.task_id] = change.task

    def _compare_rows(self, feeds: list[tuple[int, int]], rows: list[tuple[str, bytes]]) -> None:
        stored = {uuid: json.loads(task) for uuid, task in rows}
        assert stored == self._tasks, "the task rows are not what the log says"
        for user_id, seq in feeds:
            assert seq == self.seqs.get(user_id, 0), f"user {user_id}: feeds.seq is {seq}"

    def _check_batches(self, fresh: list[Change]) -> None:
        for change in fresh:
            keys = self._ledger.batches.get(self._key(change))
            if keys is not None:
                there = [self.changes[key].seq for key in keys if key in self.changes]
                first = there[0]
                assert there == list(range(first, first + len(keys))), f"a batch in part: {keys}: {there}"


def open_read_only(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{database}?mode=ro", uri=True, isolation_level=None, timeout=5)


def _changes_after(connection: sqlite3.Connection, start: int) -> Iterator[Change]:
    for position, user_id, seq, mode, task_id, task in connection.execute(
        "SELECT position, user_id, seq, mode, task_id, task FROM changes WHERE position > ? ORDER BY position",
        (start,),
    ):
        yield Change(position, user_id, seq, mode, task_id, None if task is None else json.loads(task))
