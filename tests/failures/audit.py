"""Compares the database with what clients were told. Reads only, also while servers run on it."""

from __future__ import annotations

import json
from typing import Final

from tests.failures.audited_database import AuditedDatabase, Change
from tests.failures.ledger import Ledger, key_of
from tests.support.reconnecting_clients import Json

_HISTORY: Final = 10_000  # changes of each user are kept


class Audit:
    """Replays the change log as it grows; each ``check`` reads one snapshot of the database.

    AssertionError says what is wrong:

    - what the engine itself can say against it (SQLite's integrity check, links, anchors, indexes);
    - a user's seqs are not 1, 2, 3, …, or ``feeds`` has another seq or number of tasks;
    - the task rows are not the result of the log: something was written in part;
    - an acknowledged change is missing, or differs from the answer;
    - a batch was written in part, a change is there twice, or nobody asked for it.
    """

    def __init__(self, database: AuditedDatabase, ledger: Ledger) -> None:
        self._database = database
        self._ledger = ledger
        self._checked = 0  # acknowledged changes
        self.seqs: dict[int, int] = {}  # the last one of each user
        self._tasks: dict[str, Json] = {}
        self.changes: dict[str, Change] = {}

    def check(self) -> None:
        acknowledged = self._ledger.acknowledged[
            self._checked :
        ]  # read before the snapshot, which must have all of it
        snapshot = self._database.read(self.seqs)
        for change in snapshot.changes:
            self._replay(change)
        self._compare_rows(snapshot.feeds, snapshot.tasks)
        assert snapshot.damage == "", snapshot.damage
        self._check_batches(snapshot.changes)
        for user_id, key, seq, task in acknowledged:
            change = self.changes.get(key)  # type: ignore[assignment]
            assert change is not None, f"acknowledged and lost: {key} of user {user_id}, seq {seq}"
            assert change.user_id == user_id
            assert seq is None or change.seq == seq, f"{key} was acknowledged as {seq}: {change}"
            assert task is None or change.task == task, f"acknowledged as {task}: {change}"
        self._checked += len(acknowledged)

    def check_whole_log(self) -> None:
        """Assert that the log has not changed since it was read, and was not pruned too early."""
        changes = self._database.read({}).changes
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
