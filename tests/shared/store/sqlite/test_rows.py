"""A file as the source of a copy: which one is none, who is kept out meanwhile, and which of its columns are copied."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from shared.errors import Unavailable
from shared.store.copies import CopyFailed
from shared.store.opening import open_copy
from shared.store.rows import TABLES
from shared.store.sqlite import connections, unused
from shared.store.sqlite.rows import open_sqlite_rows
from tests.shared.store.children import child
from tests.shared.store.common_columns import COLUMNS
from tests.shared.store.owner import new_owner
from tests.shared.store.programs import copy_step_by_step
from tests.shared.store.sqlite.engine import SqliteEngine, url_of
from tests.shared.store.sqlite.older_schemas import make_schema
from tests.shared.store.sqlite.programs import hold_lock
from tests.shared.store.sqlite.sqlite_file import looking_at

_OWN: Final = {
    *{("feeds", "last"), ("feeds", "pending"), ("tasks", "id")},
    *{("changes", "position"), ("changes", "previous")},
    *{("change_anchors", column) for column in ("user_id", "seq", "position")},
    *{("client_uuids", "uuid"), ("client_uuids", "id"), ("user_tasks", "user_id"), ("user_tasks", "id")},
    *{("even_clock", column) for column in ("id", "boot", "ahead", "since")},
}
"""Columns that follow from the others, or are of a host."""


async def test_every_column_is_copied_or_only_serves_sqlite(engine: SqliteEngine) -> None:
    async with engine.open():
        pass
    with looking_at(engine.path) as connection:
        columns = connection.execute(
            "SELECT tables.name, columns.name FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns "
            "WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite_%'"
        ).fetchall()
    assert set(columns) == COLUMNS | _OWN


async def test_nobody_opens_the_file_while_it_is_copied(
    engine: SqliteEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine.open() as store:
        await new_owner(store)
    monkeypatch.setattr(connections, "START_TIMEOUT", 0.2)
    async with child(copy_step_by_step, engine.url, url_of(tmp_path / "new.db"), 1) as copying:
        await copying.hear()
        with pytest.raises(Unavailable) as error:
            async with engine.open():
                pass
        assert error.value.reason == "another process holds the write lock"
    async with engine.open():
        pass


async def test_a_file_that_another_process_writes_to_is_not_copied(
    engine: SqliteEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine.open():
        pass
    async with child(hold_lock, engine.path) as holding:
        await holding.ready()
        monkeypatch.setattr(unused, "_LOCK_SECONDS", 0.2)
        with pytest.raises(CopyFailed, match="another process holds the write lock"):
            async with open_sqlite_rows(engine.path):
                pass


async def test_what_a_killed_process_left_in_the_log_is_copied(engine: SqliteEngine) -> None:
    async with engine.open() as store:
        await new_owner(store)
        log = engine.path.with_name("taskbeam.db-wal").read_bytes()
        database = engine.path.read_bytes()
    engine.path.write_bytes(database)
    engine.path.with_name("taskbeam.db-wal").write_bytes(log)
    async with open_sqlite_rows(engine.path) as rows:
        assert len(await rows.read(TABLES[0], (), 10)) == 1


async def test_an_older_schema_is_brought_up_to_date_first(tmp_path: Path) -> None:
    source, target = tmp_path / "old.db", tmp_path / "new.db"
    make_schema(source, 3).close()
    with pytest.raises(
        CopyFailed, match=r"has schema version 3, not \d: `taskbeam migrate` brings it up to date"
    ):
        async with open_copy(url_of(source), url_of(target)):
            pass
    assert not target.exists()


@pytest.mark.parametrize("content", [None, b"", b"no database at all" * 100])
async def test_what_is_no_database_is_not_copied(tmp_path: Path, content: bytes | None) -> None:
    source = tmp_path / "source.db"
    if content is not None:
        source.write_bytes(content)
    before = os.listdir(tmp_path)
    with pytest.raises(CopyFailed):
        async with open_copy(url_of(source), url_of(tmp_path / "new.db")):
            pass
    assert os.listdir(tmp_path) == before


async def test_a_file_is_not_copied_into_itself(engine: SqliteEngine) -> None:
    async with engine.open():
        pass
    link = engine.path.with_name("link.db")
    link.symlink_to(engine.path)
    with pytest.raises(CopyFailed, match="a database is not copied into itself"):
        async with open_copy(engine.url, url_of(link)):
            pass


async def test_a_file_that_is_damaged_is_one_line(engine: SqliteEngine, tmp_path: Path) -> None:
    async with engine.open() as store:
        await (await new_owner(store)).create()
    with closing(sqlite3.connect(engine.path, isolation_level=None)) as connection:
        page, size = connection.execute(
            "SELECT rootpage, page_size FROM sqlite_schema, pragma_page_size WHERE name = 'tasks'"
        ).fetchone()
    with engine.path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"damaged" * 100)
    with pytest.raises(CopyFailed, match=r"taskbeam\.db: database disk image is malformed"):
        async with open_copy(engine.url, url_of(tmp_path / "new.db")) as copy:
            await copy.begin()
