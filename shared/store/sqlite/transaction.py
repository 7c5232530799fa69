"""What is done between BEGIN and COMMIT: a group's work in order, task writes that follow one another together.

Statements cost more than rows. So the tasks that the writes name are read with a few statements. Then the writes are
decided, and the difference is written, many rows with one statement.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, cast

import msgspec

from shared.decisions.tasks import BatchRequest, WriteRequest, decide, named_tasks
from shared.errors import TaskbeamError
from shared.models import Change
from shared.store.batching import Outcome
from shared.store.sqlite.feeds import FeedCache, FeedRow, write_feeds
from shared.store.sqlite.log import write_log
from shared.store.sqlite.task_ids import NewTaskIds
from shared.store.sqlite.task_index import PENDING_MAX, add_entries, merge_entries
from shared.store.sqlite.tasks import read_rows, write_tasks

TaskWrite = WriteRequest | BatchRequest
AccountWork = Callable[[sqlite3.Connection], Any]
"""Run whole: no other work comes between its statements."""
Work = TaskWrite | AccountWork


class Transaction(msgspec.Struct):
    """What a transaction has done so far: an outcome for each piece of work, and what there is to tell of it.

    ``position`` is the first change's; the other changes follow it. It is 0 where they do not: then some change is in the
    log that is not told here. ``others``: whether account work was done.
    """

    outcomes: list[Outcome] = []
    changes: list[Change] = []
    position: int = 0
    others: bool = False

    def append(self, following: Transaction) -> None:
        """Another one came at once, under the same lock."""
        self.outcomes += following.outcomes
        if not self.changes:
            self.position = following.position
        elif following.changes and following.position != self.position + len(self.changes):
            self.position = 0  # a commit between them could not be checked, so its callers got Unavailable
        self.changes += following.changes
        self.others = self.others or following.others


def carry_out(connection: sqlite3.Connection, feeds: FeedCache, group: Sequence[Work]) -> Transaction:
    """Carry out a group; a piece that is refused (a TaskbeamError) has written nothing, and fails alone."""
    transaction = Transaction()
    feeds.begin(connection)
    for is_account_work, run in groupby(group, callable):
        if is_account_work:
            _do_account_work(connection, transaction, cast("list[AccountWork]", list(run)))
            feeds.clear()
        else:
            _write_tasks(connection, transaction, feeds, cast("list[TaskWrite]", list(run)))
    return transaction


def _do_account_work(
    connection: sqlite3.Connection, transaction: Transaction, works: Sequence[AccountWork]
) -> None:
    for work in works:
        try:
            transaction.outcomes.append(work(connection))
            transaction.others = True
        except TaskbeamError as refusal:
            transaction.outcomes.append(refusal)


def _write_tasks(
    connection: sqlite3.Connection, transaction: Transaction, cache: FeedCache, requests: Sequence[TaskWrite]
) -> None:
    feeds = cache.find(connection, {request.user_id for request in requests})
    tasks = read_rows(connection, named_tasks(requests))
    decided = decide(requests, feeds, tasks, NewTaskIds(connection))
    transaction.outcomes += decided.outcomes
    if not decided.changes:
        return
    entries = write_tasks(connection, tasks, decided.tasks)
    position, newest = write_log(connection, decided.changes, feeds)
    transaction.position = transaction.position or position
    transaction.changes += decided.changes
    new_feeds, to_merge = {}, []
    for user_id, feed in decided.feeds.items():
        pending = feeds[user_id].pending
        if user_id in entries:
            pending = add_entries(pending, entries[user_id])
            if len(pending) > PENDING_MAX:
                to_merge += [(user_id, entry) for entry in pending]
                pending = ()
        new_feeds[user_id] = FeedRow(feed.seq, feed.tasks, newest[user_id], pending)
    write_feeds(connection, new_feeds)
    merge_entries(connection, to_merge)
    cache.update(new_feeds)
