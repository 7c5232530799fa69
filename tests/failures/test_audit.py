"""The audit finds each kind of damage, which is done to a copy of a good database."""

from __future__ import annotations

import asyncio
import copy
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from tests.failures.audit import Audit
from tests.failures.audited_database import AuditedSqlite
from tests.failures.ledger import Acknowledged, Ledger
from tests.failures.writers import writing
from tests.support.clients import new_account
from tests.support.databases import require_sqlite
from tests.support.processes import System, running
from tests.support.waiting import until

_SECONDS: Final = 10.0

_FIRST: Final = "id = (SELECT min(id) FROM tasks)"

DAMAGE: Final = {
    "a change is missing": ("DELETE FROM changes WHERE seq = 5", "after seq 4 comes"),
    "the last change is missing": (
        "DELETE FROM changes WHERE position = (SELECT max(position) FROM changes)",
        "not what the log says|feeds.seq",
    ),
    "a change is there without its task": (f"DELETE FROM tasks WHERE {_FIRST}", "not what the log says"),
    "a task differs from its change": (
        """UPDATE tasks SET json =
           CAST(json_set(CAST(json AS TEXT), '$.description', 'something else') AS BLOB)""",
        "not what the log says",
    ),
    "a task has another revision": (
        """UPDATE tasks SET json = CAST(json_set(
           CAST(json AS TEXT), '$.rev', json_extract(CAST(json AS TEXT), '$.rev') + 1) AS BLOB)""",
        "not what the log says",
    ),
    "a task is another user's": (f"UPDATE tasks SET user_id = user_id + 1 WHERE {_FIRST}", "user_id"),
    "a task was created at another time": (f"UPDATE tasks SET id = id - 2048 WHERE {_FIRST}", "time_created"),
    "a task's uuid does not lead to it": (f"UPDATE tasks SET id = id + 1 WHERE {_FIRST}", "uuids missing"),
    "a client uuid leads to no task": (
        "INSERT INTO client_uuids VALUES ('a', 1)",
        "uuids missing: set.., wrong",
    ),
    "a task is missing in its user's order": (
        "DELETE FROM user_tasks WHERE id = (SELECT max(id) FROM user_tasks)",
        "index of user",
    ),
    "an index entry is merged and pending, too": (
        "UPDATE feeds SET pending = json_array((SELECT max(id) FROM user_tasks))",
        "merged already",
    ),
    "the number of tasks is wrong": ("UPDATE feeds SET tasks = tasks + 1", "user"),
    "the seq is wrong": ("UPDATE feeds SET seq = seq + 1", "feeds.seq"),
    "a change is there twice": (
        """INSERT INTO changes (user_id, seq, previous, mode, task_id, task)
           SELECT user_id, (SELECT max(seq) + 1 FROM changes), last, mode, task_id, task
           FROM changes JOIN feeds USING (user_id) WHERE changes.seq = 1;
           UPDATE feeds SET seq = seq + 1, last = (SELECT max(position) FROM changes)""",
        "twice in the log|follows",
    ),
    "a change links to the wrong one": (
        "UPDATE changes SET previous = previous - 1 WHERE seq = 7",
        "links of user",
    ),
    "the first change links to an earlier one": (
        "UPDATE changes SET previous = 9 WHERE seq = 1",
        "links of user",
    ),
    "the feed links to the wrong change": ("UPDATE feeds SET last = last - 1", "links: they end"),
    "an anchor is missing": ("DELETE FROM change_anchors WHERE seq = 100", "anchors missing"),
    "an anchor has the wrong position": (
        "UPDATE change_anchors SET position = position - 1",
        "anchors missing",
    ),
    "an anchor is too many": (
        """INSERT INTO change_anchors (user_id, seq, position)
           SELECT user_id, seq, position FROM changes WHERE seq = 50""",
        "anchors missing: set.., wrong",
    ),
    "an index is another one's": (
        """PRAGMA writable_schema = 1;
           UPDATE sqlite_schema SET rootpage =
               (SELECT rootpage FROM sqlite_schema WHERE name = 'sessions_by_expiry')
           WHERE name = 'rotated_tokens_of_session'""",
        "integrity_check",
    ),
}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ledger]:
    """A database that clients have written to, and their ledger."""
    require_sqlite()
    ledger = Ledger()
    with running(tmp_path_factory.mktemp("good")) as system:
        asyncio.run(_write(system, ledger))
    Audit(AuditedSqlite(system.database_url), ledger).check()
    return system.database, ledger


async def _write(system: System, ledger: Ledger) -> None:
    async with writing(system, [new_account(system)], ledger, seed=1, pause=0):
        await until(
            lambda: len(ledger.acknowledged) > 100 and len(ledger.batches) > 12, _SECONDS, "enough is written"
        )


def _copy(database: Path, folder: Path) -> Path:
    return Path(shutil.copy(database, folder / "copy.db"))


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_found(good: tuple[Path, Ledger], tmp_path: Path, name: str) -> None:
    (database, ledger), (script, complaint) = good, DAMAGE[name]
    damaged = _copy(database, tmp_path)
    with closing(sqlite3.connect(damaged)) as connection:
        connection.executescript(script)
    with pytest.raises(AssertionError, match=complaint):
        Audit(AuditedSqlite(f"sqlite:///{damaged}"), ledger).check()


def test_lost_change_is_found(good: tuple[Path, Ledger]) -> None:
    database, ledger = good[0], copy.deepcopy(good[1])
    ledger.record_acknowledged([Acknowledged(1, "write something else", 1, None)])
    with pytest.raises(AssertionError, match="acknowledged and lost"):
        Audit(AuditedSqlite(f"sqlite:///{database}"), ledger).check()


def test_task_that_differs_from_the_answer_is_found(good: tuple[Path, Ledger]) -> None:
    database, ledger = good[0], copy.deepcopy(good[1])
    first = ledger.acknowledged[0]
    ledger.acknowledged[0] = first._replace(task={**(first.task or {}), "completed": True})
    with pytest.raises(AssertionError, match="acknowledged as"):
        Audit(AuditedSqlite(f"sqlite:///{database}"), ledger).check()


def test_partial_batch_is_found(good: tuple[Path, Ledger]) -> None:
    database, ledger = good[0], copy.deepcopy(good[1])
    key, keys = next(iter(ledger.batches.items()))
    ledger.batches[key] = (*keys, "write something missing")
    with pytest.raises(AssertionError, match="a batch in part"):
        Audit(AuditedSqlite(f"sqlite:///{database}"), ledger).check()


def test_change_that_nobody_asked_for_is_found(good: tuple[Path, Ledger]) -> None:
    database, ledger = good[0], copy.deepcopy(good[1])
    del ledger.attempted[ledger.acknowledged[0].key]
    with pytest.raises(AssertionError, match="nobody asked for"):
        Audit(AuditedSqlite(f"sqlite:///{database}"), ledger).check()
