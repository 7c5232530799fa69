"""Feeds are remembered from one transaction to the next, and never when they may be old."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from shared.errors import Unavailable, UserGone
from shared.models import CreateTask
from shared.store import Store
from shared.store.sqlite import feeds, transaction
from shared.store.sqlite.group_commit import GroupCommit
from shared.store.sqlite.task_index import merge_entries
from shared.store.sqlite.transaction import Transaction, Work
from tests.shared.store.owner import READING, Owner, new_owner
from tests.shared.store.sqlite.engine import SqliteEngine
from tests.shared.store.sqlite.sqlite_file import Statements, as_writer


@pytest.fixture
async def store(engine: SqliteEngine) -> AsyncIterator[Store]:
    """Checked at its end."""
    async with engine.open() as store:
        yield store
    await engine.assert_sound()


def _reads_of_feeds(statements: Statements) -> int:
    return sum("FROM feeds" in seen or "JOIN feeds" in seen for seen in statements.seen)


async def test_feed_is_read_once_while_nobody_else_writes(owner: Owner, stranger: Owner) -> None:
    await owner.create()
    statements = Statements()
    await statements.watch_writer(owner.store)
    for _ in range(3):
        await owner.create()
    assert _reads_of_feeds(statements) == 0
    await stranger.create()
    await asyncio.gather(owner.create(), stranger.create())
    assert _reads_of_feeds(statements) <= 1


async def test_what_was_changed_by_hand_is_not_missed(owner: Owner, path: Path) -> None:
    task = await owner.create()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE feeds SET seq = 0, tasks = 0, last = 0, pending = '[]'")
        connection.execute("DELETE FROM changes")
        connection.execute("DELETE FROM tasks")
    await owner.create(uuid=task.uuid)
    assert await owner.seq() == 1


async def test_account_work_leaves_no_feed_known(owner: Owner) -> None:
    await owner.create()
    await owner.store.delete_user(owner.user, READING)
    with pytest.raises(UserGone):
        await owner.create()


def _fail_before_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was decided on the event loop is thrown away; the thread does it anew."""
    failures = iter([True])

    def fail_once(connection: sqlite3.Connection, entries: list[tuple[int, int]]) -> None:
        merge_entries(connection, entries)
        if next(failures, False):
            raise sqlite3.OperationalError("deliberate")

    monkeypatch.setattr(transaction, "merge_entries", fail_once)


def _fail_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    commit = GroupCommit._commit
    failures = iter([True])

    def fail_once(
        group_commit: GroupCommit, connection: sqlite3.Connection, group: Sequence[Work], done: Transaction
    ) -> Transaction:
        if next(failures, False):
            return group_commit._undo(connection, group, Unavailable("the disk is full, deliberately"))
        return commit(group_commit, connection, group, done)

    monkeypatch.setattr(GroupCommit, "_commit", fail_once)


@pytest.mark.parametrize("fail", [_fail_before_the_commit, _fail_the_commit])
async def test_what_was_rolled_back_is_not_known(
    owner: Owner, monkeypatch: pytest.MonkeyPatch, fail: Callable[[pytest.MonkeyPatch], None]
) -> None:
    await owner.create()
    fail(monkeypatch)
    outcomes = await asyncio.gather(owner.create(), owner.create(), return_exceptions=True)
    lost = sum(isinstance(outcome, Unavailable) for outcome in outcomes)
    assert lost == (2 if fail is _fail_the_commit else 0)
    await owner.create()
    assert [change.seq for change in await owner.log()] == list(range(1, 5 - lost))


async def test_number_of_cached_feeds_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "_CACHE_MAX", 3)
    owners = [await new_owner(store) for _ in range(6)]
    for owner in owners * 2:
        await owner.create()
    statements = Statements()
    await statements.watch_writer(store)
    for owner in owners:
        await owner.create()
    assert _reads_of_feeds(statements) > 0
    await asyncio.gather(*(owner.write(CreateTask(None, "a")) for owner in owners))
    assert [await owner.seq() for owner in owners] == [4] * 6


async def test_defective_work_leaves_no_feed_known(owner: Owner) -> None:
    await owner.create()

    def defect(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE feeds SET seq = seq + 100")
        raise LookupError("deliberate")

    created, refused, again = await asyncio.gather(
        owner.create(), as_writer(owner.store, defect), owner.create(), return_exceptions=True
    )
    assert isinstance(refused, LookupError)
    assert [change.seq for change in await owner.log()] == [1, 2, 3]
    assert created != again
