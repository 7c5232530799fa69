"""Writes that wait at once share a transaction, and none of them spoils it for the others."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from shared.errors import TaskbeamError, Unavailable
from shared.models import CreateTask
from shared.store import batching
from shared.store.sqlite import writer as writer_module
from shared.store.sqlite.readers import Read
from shared.store.sqlite.tasks import read_task
from tests.shared.store.owner import MISSING, Owner
from tests.shared.store.sqlite.sqlite_file import (
    Statements,
    as_sqlite,
    as_writer,
    assert_sound,
    group_commit_of,
    readers_of,
)
from tests.support.waiting import until


async def test_writes_that_wait_at_once_share_few_commits(owner: Owner, path: Path) -> None:
    statements = Statements()
    await statements.watch_writer(owner.store)
    written = await asyncio.gather(*(owner.write(CreateTask(None, "a")) for _ in range(1000)))
    seqs = [result.change.seq for [result] in written if result.change]
    assert seqs == list(range(1, 1001)), "answered in the order of asking"
    assert statements.count("COMMIT") == statements.count("BEGIN IMMEDIATE") <= 10
    assert_sound(path)


@pytest.mark.parametrize("turns", [0, 2])
async def test_who_asks_again_at_once_joins_who_had_to_wait(owner: Owner, turns: int) -> None:
    """Rather than that each of the two commits waits for the other's, for ever; ``turns`` of the loop are at once."""
    statements = Statements()
    await statements.watch_writer(owner.store)

    async def write_on() -> None:
        for _ in range(20):
            await owner.create()
            for _ in range(turns):
                await asyncio.sleep(0)

    async with asyncio.timeout(60), asyncio.TaskGroup() as writers:
        for _ in range(10):
            writers.create_task(write_on())
        while not statements.count("BEGIN IMMEDIATE"):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)
        writers.create_task(write_on())
    assert statements.count("COMMIT") <= 22


async def test_group_is_bounded(owner: Owner) -> None:
    statements = Statements()
    await statements.watch_writer(owner.store)
    await asyncio.gather(*(owner.write(CreateTask(None, "a")) for _ in range(1000)))
    assert statements.count("COMMIT") >= 1000 / 256


async def test_reads_that_wait_at_once_share_a_snapshot(owner: Owner) -> None:
    seen: list[str] = []
    row_reader, _ = readers_of(owner.store)
    await row_reader.submit(lambda plain: plain.set_trace_callback(seen.append))
    await asyncio.gather(*(as_sqlite(owner.store).position() for _ in range(200)))
    assert 0 < seen.count("COMMIT") <= 5


def _raise_defect(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM tasks")
    connection.execute("UPDATE feeds SET seq = seq + 100")
    raise RuntimeError("a defect")


def _break_constraint(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM tasks")
    connection.execute("INSERT INTO feeds (user_id) VALUES (-1)")


def _misspell(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM tasks")
    connection.execute("SELEKT")


@pytest.mark.parametrize(
    ("defect", "error"),
    [
        (_raise_defect, RuntimeError),
        (_break_constraint, sqlite3.IntegrityError),
        (_misspell, sqlite3.OperationalError),
    ],
)
async def test_defective_work_fails_alone_and_what_it_wrote_is_undone(
    owner: Owner, path: Path, defect: Read[None], error: type[Exception]
) -> None:
    await owner.create("before")
    outcomes = await asyncio.gather(
        *(
            as_writer(owner.store, defect) if number in (0, 7, 49) else owner.write(CreateTask(None, "a"))
            for number in range(50)
        ),
        return_exceptions=True,
    )
    for number, outcome in enumerate(outcomes):
        assert isinstance(outcome, error if number in (0, 7, 49) else list)
    assert [change.seq for change in await owner.log()] == list(range(1, 49))
    assert len(await owner.tasks()) == 48
    assert_sound(path)


async def test_defective_read_fails_alone(owner: Owner) -> None:
    task = await owner.create()
    row_reader, _ = readers_of(owner.store)
    outcomes = await asyncio.gather(
        row_reader.submit(lambda plain: read_task(plain, owner.id, task.uuid)),
        row_reader.submit(lambda plain: plain.execute("SELEKT")),
        row_reader.submit(lambda plain: read_task(plain, owner.id, task.uuid)),
        row_reader.submit(lambda plain: read_task(plain, owner.id, MISSING)),
        return_exceptions=True,
    )
    assert [type(outcome).__name__ for outcome in outcomes] == [
        "StoredTask",
        "OperationalError",
        "StoredTask",
        "NotFound",
    ]


async def test_too_much_waiting_is_refused_and_the_rest_is_done(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "_WAITING_MAX", 20)
    outcomes = await asyncio.gather(
        *(owner.write(CreateTask(None, "a")) for _ in range(50)), return_exceptions=True
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, TaskbeamError)]
    assert {type(outcome) for outcome in refused} == {Unavailable}
    assert len(refused) == 30
    assert await owner.seq() == 20


async def test_write_waits_for_what_is_done_in_a_quiet_moment(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They have one connection, and the write lock keeps out other processes only."""
    entered, leave = threading.Event(), threading.Event()

    def when_quiet(connection: sqlite3.Connection) -> None:
        entered.set()
        leave.wait(10)

    statements = Statements()
    await statements.watch_writer(owner.store)
    monkeypatch.setattr(writer_module, "_QUIET_SECONDS", 0.01)
    monkeypatch.setattr(group_commit_of(owner.store), "when_quiet", when_quiet)
    try:
        await until(entered.is_set, 10, "a quiet moment")
        writing = asyncio.create_task(owner.create())
        for _ in range(20):
            await asyncio.sleep(0)
        assert statements.count("BEGIN IMMEDIATE") == 0
    finally:
        leave.set()
    await asyncio.wait_for(writing, 10)
    assert statements.count("BEGIN IMMEDIATE") == 1
