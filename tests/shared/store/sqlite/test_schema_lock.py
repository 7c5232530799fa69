"""Processes of two versions at one database: one brings it up to date, and no other serves it meanwhile."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
from contextlib import AsyncExitStack, closing
from pathlib import Path

import pytest

from shared.errors import Unavailable
from shared.store.sqlite import schema_lock
from shared.store.sqlite.migrate import newest_version, schema_version
from tests.shared.store.children import child
from tests.shared.store.owner import new_owner
from tests.shared.store.programs import open_one
from tests.shared.store.sqlite.engine import url_of
from tests.shared.store.sqlite.older_schemas import make_schema
from tests.support.stores import open_store


@pytest.fixture
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_lock, "_LOOK_SECONDS", 0.02)


def _lock_file(path: Path, suffix: str) -> int:
    return os.open(f"{path}{suffix}", os.O_RDWR | os.O_CREAT)


def _version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return schema_version(connection)


async def _serve(path: Path, started: asyncio.Event) -> None:
    async with open_store(url_of(path)):
        started.set()
        await asyncio.sleep(10)


async def _reason_of_end(path: Path, started: asyncio.Event) -> str:
    """Serve the store; why that ended."""
    with pytest.raises(ExceptionGroup) as ended:
        await _serve(path, started)
    [error] = ended.value.exceptions
    assert isinstance(error, Unavailable)
    return error.reason


@pytest.mark.usefixtures("quick_looks")
async def test_process_ends_when_another_one_wants_to_bring_the_schema_up_to_date(path: Path) -> None:
    started = asyncio.Event()
    serving = asyncio.create_task(_reason_of_end(path, started))
    await started.wait()
    upgrade, schema = _lock_file(path, "-upgrade"), _lock_file(path, "-schema")
    try:
        with pytest.raises(BlockingIOError):
            fcntl.flock(schema, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(upgrade, fcntl.LOCK_EX)
        assert "another version of this program" in await serving
        fcntl.flock(schema, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(upgrade)
        os.close(schema)


@pytest.mark.usefixtures("quick_looks")
async def test_process_ends_when_the_schema_is_newer_whoever_made_it_so(path: Path) -> None:
    started = asyncio.Event()
    serving = asyncio.create_task(_reason_of_end(path, started))
    await started.wait()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {newest_version() + 1}")
    assert "another version of this program" in await serving


async def test_older_schema_waits_for_those_who_serve_it(path: Path) -> None:
    make_schema(path, newest_version() - 1).close()
    older = _lock_file(path, "-schema")
    fcntl.flock(older, fcntl.LOCK_SH)
    async with AsyncExitStack() as stack:
        opening = asyncio.create_task(stack.enter_async_context(open_store(url_of(path))))
        wanted = _lock_file(path, "-upgrade")
        async with asyncio.timeout(5):
            while not _is_locked(wanted):  # noqa: ASYNC110 - a lock has no event
                await asyncio.sleep(0.01)
        assert _version(path) == newest_version() - 1
        os.close(older)
        await new_owner(await opening)
        assert _version(path) == newest_version()
        assert not _is_locked(wanted)
        os.close(wanted)


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False


async def test_wait_for_those_who_do_not_end_has_a_bound(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_lock, "START_TIMEOUT", 0.1)
    make_schema(path, newest_version() - 1).close()
    older = _lock_file(path, "-schema")
    fcntl.flock(older, fcntl.LOCK_SH)
    try:
        with pytest.raises(Unavailable) as refused:
            async with open_store(url_of(path)):
                raise AssertionError("it was opened")
        assert refused.value.reason == "a process of an older version has the database open, and does not end"
    finally:
        os.close(older)
    async with open_store(url_of(path)):
        assert _version(path) == newest_version()


async def test_of_many_that_start_at_once_one_brings_an_older_schema_up_to_date(path: Path) -> None:
    make_schema(path, newest_version() - 1).close()
    async with AsyncExitStack() as stack:
        programs = [await stack.enter_async_context(child(open_one, url_of(path))) for _ in range(4)]
        for program in programs:
            await program.ready()
        for program in programs:
            program.start()
        said = [await program.hear() for program in programs]
    assert len({found["epoch"] for found in said}) == 1
    assert _version(path) == newest_version()
