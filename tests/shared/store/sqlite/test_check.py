"""The check of a database from beside it."""

from __future__ import annotations

import os
from operator import methodcaller
from pathlib import Path

import pytest

from shared.errors import Unavailable
from shared.store.sqlite.check import check_sqlite
from tests.shared.store.owner import new_owner
from tests.shared.store.sqlite.engine import SqliteEngine
from tests.shared.store.sqlite.sqlite_file import as_sqlite, as_writer


def texts(path: Path, *levels: str) -> list[str]:
    return [finding.text for finding in check_sqlite(path) if finding.level in levels]


async def test_a_served_database_is_sound_and_not_changed(engine: SqliteEngine) -> None:
    async with engine.open() as store:
        await (await new_owner(store)).create()
        version = await store.version()
        assert texts(engine.path, "problem") == []
        assert any("gapless" in text for text in texts(engine.path, "ok"))
        assert await store.version() == version
    assert texts(engine.path, "problem") == []


async def test_what_another_program_has_added_is_named(engine: SqliteEngine) -> None:
    async with engine.open() as store:
        for statement in (
            "CREATE TABLE notes (x)",
            "CREATE VIEW done AS SELECT 1",
            "DROP INDEX sessions_by_expiry",
        ):
            await as_writer(store, methodcaller("execute", statement))
    assert {"another program has added the table notes", "another program has added the view done"} <= set(
        texts(engine.path, "warning")
    )
    assert texts(engine.path, "problem") == ["the index sessions_by_expiry is missing"]


async def test_files_that_others_may_open_are_named(engine: SqliteEngine) -> None:
    async with engine.open() as store:
        as_sqlite(store).path.beside(".key").touch(0o600)
        os.chmod(as_sqlite(store).path.beside(".key"), 0o640)
        os.chmod(engine.path, 0o644)
        problems = texts(engine.path, "problem")
    assert problems == [
        f"{engine.path} has mode 0644: others than its owner may open it; chmod 600",
        f"{engine.path}.key has mode 0640: others than its owner may open it; chmod 600",
    ]


async def test_a_second_name_is_a_problem(engine: SqliteEngine, tmp_path: Path) -> None:
    async with engine.open():
        pass
    os.link(engine.path, tmp_path / "second")
    assert [text for text in texts(engine.path, "problem") if "2 names" in text]


def test_no_database_is_an_error_and_none_is_made(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as error:
        check_sqlite(tmp_path / "none.db")
    assert "there is no database" in error.value.reason
    assert list(tmp_path.iterdir()) == []


def test_the_database_of_another_program_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "other.db").write_text("no database " * 100)
    with pytest.raises(Unavailable) as error:
        check_sqlite(tmp_path / "other.db")
    assert "not a database" in error.value.reason
