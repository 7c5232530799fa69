"""A user's changes are found by previous links and anchors: every page of every user, whatever was pruned."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.decisions.history import HISTORY
from shared.decisions.tasks import BatchRequest
from shared.models import Change, ChangePage, CreateTask, UpdateTask
from shared.store.sqlite import accounts as accounts_sql
from shared.store.sqlite import log as change_log
from shared.store.sqlite.feeds import FeedCache
from shared.store.sqlite.log import ANCHOR_EVERY, count_changes, read_changes
from shared.store.sqlite.migrate import migrate
from shared.store.sqlite.transaction import carry_out
from tests.shared.store.owner import ENOUGH, NOW, READING, Owner
from tests.shared.store.sqlite.sqlite_file import as_writer, user_of
from tests.support.change_links import assert_change_links

FEW, SHORT = 5, 20
"""Changes between two anchors, and changes that are kept, in the tests that try every page."""


class Database:
    """In memory, with users whose changes are remembered beside it."""

    def __init__(self, users: int) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.connection.execute("PRAGMA foreign_keys = ON")
        migrate(self.connection)
        names = [f"user-{number}" for number in range(users)]
        self.users = [accounts_sql.add_user(self.connection, name, name, "hash", NOW).id for name in names]
        self.logs: dict[int, list[Change]] = {user_id: [] for user_id in self.users}

    def close(self) -> None:
        self.connection.close()

    def write_group(self, *pieces: tuple[int, int]) -> None:
        """One transaction: each piece is a user's number and how many tasks they create."""
        requests = [
            BatchRequest(self.users[number], NOW, ENOUGH, [CreateTask(None, "a")] * changes)
            for number, changes in pieces
        ]
        for change in carry_out(self.connection, FeedCache(), requests).changes:
            self.logs[change.user_id].append(change)

    def delete_user(self, number: int) -> None:
        user_id = self.users.pop(number)
        accounts_sql.delete_user(self.connection, user_of(self.connection, user_id), READING)
        del self.logs[user_id]

    def kept(self, user_id: int) -> int:
        """How many changes of the user there are; that they are the newest, the pages tell."""
        count: int = self.connection.execute(
            "SELECT count(*) FROM changes WHERE user_id = ?", (user_id,)
        ).fetchone()[0]
        return count

    def expected(self, user_id: int, since: int, limit: int) -> ChangePage:
        log = self.logs[user_id]
        if since > len(log):
            return ChangePage([], len(log), more=False, reason="seq_unknown")
        if since < len(log) - self.kept(user_id):
            return ChangePage([], len(log), more=False, reason="history_gone")
        page = log[since : since + limit]
        end = since + len(page)
        return ChangePage(page, end, more=end < len(log))

    def check_every_page(self, limits: range = range(1, 2 * SHORT)) -> None:
        assert_change_links(self.connection, FEW)
        assert count_changes(self.connection) == sum(map(self.kept, self.logs))
        for user_id, log in self.logs.items():
            assert min(len(log), SHORT) <= self.kept(user_id) < SHORT + FEW
            for since in range(len(log) + 2):
                for limit in limits:
                    page = read_changes(self.connection, user_id, True, since, limit)
                    assert page == self.expected(user_id, since, limit), (user_id, since, limit)


@pytest.fixture
def short_history(monkeypatch: pytest.MonkeyPatch) -> None:
    _shorten(monkeypatch)


def _shorten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(change_log, "ANCHOR_EVERY", FEW)
    patch.setattr(change_log, "HISTORY", SHORT)


@pytest.fixture
def database(short_history: None) -> Iterator[Database]:
    with closing(Database(users=3)) as database:
        yield database


@pytest.mark.parametrize(
    "changes", [0, 1, FEW - 1, FEW, FEW + 1, SHORT, SHORT + FEW - 1, SHORT + FEW, SHORT + FEW + 1, 3 * SHORT]
)
@pytest.mark.parametrize("together", [1, 3, 1000], ids=lambda number: f"{number} in a transaction")
def test_every_page_around_marks_and_prunings(database: Database, changes: int, together: int) -> None:
    for begin in range(0, changes, together):
        database.write_group((0, min(together, changes - begin)), (1, 1))
    database.check_every_page()


@pytest.mark.parametrize("seed", range(5))
def test_every_page_of_users_who_write_at_once(database: Database, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(30):
        database.write_group(
            *((chance.randrange(3), chance.randrange(4)) for _ in range(chance.randrange(6)))
        )
    database.check_every_page(limits=range(1, 2 * SHORT, 4))


def test_deleted_users_changes_are_gone_with_their_marks_and_nobody_elses(database: Database) -> None:
    for _ in range(SHORT):
        database.write_group((0, 2), (1, 1), (2, 3), (0, 1))
    database.delete_user(0)
    database.check_every_page(limits=range(1, 2 * SHORT, 4))
    rest = database.connection.execute("SELECT DISTINCT user_id FROM changes ORDER BY user_id").fetchall()
    assert rest == [(user_id,) for user_id in database.users]
    database.write_group((0, SHORT), (1, 1))
    database.check_every_page(limits=range(1, 2 * SHORT, 4))


@pytest.mark.parametrize("limit", [1, FEW, 2 * SHORT])
def test_page_that_would_have_a_hole_is_none(database: Database, limit: int) -> None:
    """Better no changes than some: a client that gets none loads the whole state."""
    database.write_group((0, SHORT), (1, 1))
    user_id = database.users[0]
    database.connection.execute("DELETE FROM changes WHERE user_id = ? AND seq = 12", (user_id,))
    for since in range(SHORT):
        page = read_changes(database.connection, user_id, True, since, limit)
        if since >= 12:
            assert page == database.expected(user_id, since, limit)
        elif since + limit >= 12:
            assert (page.changes, page.reason) == ([], "history_gone")
        else:
            assert page.reason in (None, "history_gone")
            assert page.changes in ([], database.logs[user_id][since : since + limit])


def test_old_page_costs_no_more_than_a_new_one() -> None:
    """It is found by its anchor: to walk there from the newest change would take as long as the log is."""
    with closing(Database(users=2)) as database:
        for _ in range(HISTORY // 50):
            database.write_group((0, 50), (1, 1))

        def steps(since: int) -> int:
            """Of a hundred instructions of SQLite's each."""
            taken = count()
            database.connection.set_progress_handler(lambda: next(taken) < 0, 100)
            page = read_changes(database.connection, database.users[0], True, since, 10)
            database.connection.set_progress_handler(None, 0)
            assert len(page.changes) == 10
            return next(taken)

        newest = steps(HISTORY - ANCHOR_EVERY)
        for since in (0, 1, ANCHOR_EVERY - 11, ANCHOR_EVERY - 10, HISTORY // 2):
            assert steps(since) < 2 * newest


pieces = st.tuples(st.integers(0, 2), st.integers(0, 2 * FEW))
groups = st.lists(st.lists(pieces, max_size=4), max_size=12)


@settings(deadline=None, max_examples=60, derandomize=True, database=None)
@given(groups, st.integers(0, 130), st.integers(1, 3 * SHORT), st.none() | st.integers(0, 2))
def test_any_page_is_that_of_a_plain_list(
    groups: list[list[tuple[int, int]]], since: int, limit: int, deleted: int | None
) -> None:
    with pytest.MonkeyPatch.context() as patch, closing(Database(users=4)) as database:
        _shorten(patch)
        for group in groups:
            database.write_group(*group)
        if deleted is not None:
            database.delete_user(deleted)
        for group in groups[::2]:
            database.write_group(*group)
        assert_change_links(database.connection, FEW)
        for user_id in database.users:
            page = read_changes(database.connection, user_id, True, since, limit)
            assert page == database.expected(user_id, since, limit)


EDGES = [0, 1, ANCHOR_EVERY - 1, ANCHOR_EVERY, ANCHOR_EVERY + 1, 2 * ANCHOR_EVERY - 1, 2 * ANCHOR_EVERY]


@pytest.mark.parametrize("newest", EDGES[1:])
async def test_pages_around_the_marks(owner: Owner, stranger: Owner, newest: int) -> None:
    log: list[Change | None] = []
    for begin in range(0, newest, 7):
        written = await owner.write(*[CreateTask(None, "a")] * min(7, newest - begin))
        log += [result.change for result in written]
        await stranger.create()
    for since in EDGES:
        for limit in (1, ANCHOR_EVERY - 1, ANCHOR_EVERY, ANCHOR_EVERY + 1, 500):
            page = await owner.store.changes(owner.id, owner.store.epoch, since, limit)
            if since > newest:
                assert (page.changes, page.reason) == ([], "seq_unknown")
                continue
            assert page.changes == log[since : since + limit]
            end = min(since + limit, newest)
            assert (page.seq, page.more, page.reason) == (end, end < newest, None)


async def _fill(owner: Owner, changes: int) -> None:
    task = await owner.create()
    for begin in range(1, changes, 500):
        await owner.write(*[UpdateTask(task.uuid, completed=True)] * min(500, changes - begin))


@pytest.mark.parametrize("beyond", [-1, 0, 1, ANCHOR_EVERY - 1, ANCHOR_EVERY, ANCHOR_EVERY + 1])
async def test_history_is_pruned_by_the_hundred(owner: Owner, beyond: int) -> None:
    newest = HISTORY + beyond
    await _fill(owner, newest)
    oldest = newest // ANCHOR_EVERY * ANCHOR_EVERY - HISTORY  # the cursor that is as old as may be
    for since in {0, max(oldest - 1, 0), max(oldest, 0)}:
        page = await owner.store.changes(owner.id, owner.store.epoch, since, 500)
        assert page.reason == ("history_gone" if since < oldest else None)
    await as_writer(owner.store, assert_change_links)


async def test_pruning_one_user_spares_the_others(owner: Owner, stranger: Owner) -> None:
    before = await stranger.log()
    await _fill(owner, HISTORY + ANCHOR_EVERY)
    assert await stranger.log() == before
    await stranger.store.delete_user(owner.user, READING)
    assert await stranger.log() == before
    await as_writer(stranger.store, assert_change_links)
