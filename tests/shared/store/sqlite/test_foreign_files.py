"""Files that are not ours are refused, and not a byte of them is changed; nor does anything come beside them."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from shared.errors import Unavailable
from tests.shared.store.children import child
from tests.shared.store.owner import Owner, new_owner
from tests.shared.store.programs import write_until_killed
from tests.shared.store.sqlite.engine import url_of
from tests.shared.store.sqlite.sqlite_file import as_sqlite, assert_sound
from tests.support.stores import open_store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    return folder / "some.db"


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _run(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def _copy_open(path: Path, *statements: str) -> None:
    """What a program leaves that is killed: with a log."""
    made = path.parent.with_name("made.db")
    with closing(sqlite3.connect(made, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
        for suffix in ("", "-wal"):
            shutil.copyfile(_beside(made, suffix), _beside(path, suffix))


def _text(path: Path) -> None:
    path.write_text("Dear diary, " * 1000)


def _few_bytes(path: Path) -> None:
    path.write_text("x")


def _damaged(path: Path) -> None:
    _run(path, "CREATE TABLE users (name)")
    path.write_bytes(path.read_bytes()[:100] + b"\xff" * 5000)


def _other_tables(path: Path) -> None:
    _run(path, "CREATE TABLE users (id)", "PRAGMA user_version = 2")


def _some_of_our_tables(path: Path) -> None:
    _run(path, *(f"CREATE TABLE {name} (id)" for name in ("meta", "users", "tasks")))


def _no_tables_but_a_number(path: Path) -> None:
    _run(path, "PRAGMA application_id = 1196437808", "VACUUM")


def _no_tables_but_a_version(path: Path) -> None:
    _run(path, "PRAGMA user_version = 7", "VACUUM")


def _our_tables_and_another_number(path: Path) -> None:
    names = ("meta", "users", "feeds", "tasks", "changes", "sessions", "revocations")
    _run(path, *(f"CREATE TABLE {name} (id)" for name in names), "PRAGMA application_id = 1")


def _with_log(path: Path) -> None:
    _run(path, "PRAGMA journal_mode = WAL", "CREATE TABLE notes (id)")


def _log_left_behind(path: Path) -> None:
    _copy_open(
        path, "CREATE TABLE notes (id)", "PRAGMA journal_mode = WAL", "INSERT INTO notes VALUES (1), (2)"
    )


def _all_in_the_log(path: Path) -> None:
    _copy_open(path, "PRAGMA journal_mode = WAL", "CREATE TABLE notes (id)")


FOREIGN = [
    _text,
    _few_bytes,
    _damaged,
    _other_tables,
    _some_of_our_tables,
    _no_tables_but_a_number,
    _no_tables_but_a_version,
    _our_tables_and_another_number,
    _with_log,
    _log_left_behind,
    _all_in_the_log,
]


def _state(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.iterdir()}


@pytest.mark.parametrize("make", FOREIGN)
async def test_foreign_file_is_refused_and_left_as_it_is(path: Path, make: Callable[[Path], None]) -> None:
    make(path)
    before = _state(path.parent)
    with pytest.raises(Unavailable) as refused:
        async with open_store(url_of(path)):
            raise AssertionError("it was opened")
    assert str(path) in refused.value.reason
    assert "\n" not in refused.value.reason
    assert _state(path.parent) == before


@pytest.mark.parametrize(
    "statements", [(), ("PRAGMA journal_mode = WAL",), ("PRAGMA page_size = 1024", "VACUUM")]
)
async def test_empty_database_is_a_new_one(path: Path, statements: tuple[str, ...]) -> None:
    _run(path, *statements)
    async with open_store(url_of(path)) as store:
        await (await new_owner(store)).create()
    assert_sound(path)


async def test_database_from_before_there_was_a_number_is_ours_and_gets_one(path: Path) -> None:
    async with open_store(url_of(path)) as store:
        owner = await new_owner(store)
    _run(path, "PRAGMA application_id = 0")
    async with open_store(url_of(path)) as store:
        await Owner(store, owner.user).create()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() != (0,)


async def test_database_whose_tables_are_in_the_log_alone_is_ours(path: Path) -> None:
    """Made by an earlier version that was killed: its file has neither tables nor a number."""
    async with open_store(url_of(path.with_name("source.db"))) as store:
        owner = await new_owner(store)
    with closing(sqlite3.connect(path.with_name("source.db"))) as source:
        statements = [sql for (sql,) in source.execute("SELECT sql FROM sqlite_schema WHERE sql NOT NULL")]
        version = source.execute("PRAGMA user_version").fetchone()[0]
        users = source.execute("SELECT * FROM users").fetchall()
    made = path.with_name("made.db")
    with closing(sqlite3.connect(made, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN")
        for sql in statements:
            if "sqlite_sequence" not in sql:
                connection.execute(sql)
        connection.execute("INSERT INTO meta VALUES ('epoch', 'one')")
        connection.executemany(f"INSERT INTO users VALUES ({','.join('?' * len(users[0]))})", users)
        connection.execute("INSERT INTO feeds (user_id) SELECT id FROM users")
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("COMMIT")
        for suffix in ("", "-wal"):
            shutil.copyfile(_beside(made, suffix), _beside(path, suffix))
    async with open_store(url_of(path)) as store:
        assert store.epoch == "one"
        await Owner(store, owner.user).create()


async def test_log_without_its_database_is_kept(path: Path) -> None:
    async with child(write_until_killed, url_of(path), "1") as process:
        await process.ready()
        await process.kill()
    os.unlink(path)
    log = _beside(path, "-wal")
    log.write_bytes(b"x" * 5000)
    async with open_store(url_of(path)) as store:
        await (await new_owner(store)).create()
    assert _beside(path, "-wal.1").read_bytes() == b"x" * 5000


@pytest.mark.parametrize("links", [1, 2])
async def test_everything_stands_beside_the_file_that_a_link_leads_to(tmp_path: Path, links: int) -> None:
    real, alias = tmp_path / "real" / "taskbeam.db", tmp_path / "alias" / "tasks.db"
    for folder in (real.parent, alias.parent):
        folder.mkdir()
    link = alias
    for number in range(links - 1):
        link.symlink_to(tmp_path / "alias" / f"{number}.db")
        link = tmp_path / "alias" / f"{number}.db"
    link.symlink_to(real)  # which is not there yet
    before = sorted(alias.parent.iterdir())
    async with open_store(url_of(alias)) as store, open_store(url_of(real)) as other:
        owner = await new_owner(store)
        task = await owner.create()
        assert await Owner(other, owner.user).tasks() == [task]
        assert (
            as_sqlite(store).path.beside(".key")
            == as_sqlite(other).path.beside(".key")
            == _beside(real, ".key")
        )
        names = sorted(file.name for file in real.parent.iterdir())
    suffixes = ("", "-lock", "-schema", "-shm", "-upgrade", "-wal")
    assert names == [f"taskbeam.db{suffix}" for suffix in suffixes]
    assert sorted(alias.parent.iterdir()) == before


async def test_file_behind_a_linked_folder_has_one_lock(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "alias").symlink_to("real")
    async with (
        open_store(url_of(tmp_path / "alias" / "a.db")) as store,
        open_store(url_of(tmp_path / "real" / "a.db")) as other,
    ):
        assert as_sqlite(store).path.lock == as_sqlite(other).path.lock


async def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.symlink_to(other)
    other.symlink_to(one)
    with pytest.raises(Unavailable) as refused:
        async with open_store(url_of(one)):
            raise AssertionError("it was opened")
    assert str(one) in refused.value.reason


async def test_second_name_of_the_file_is_warned_of(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with open_store(url_of(path)):
        assert "hard links" not in caplog.text
    os.link(path, _beside(path, ".other"))
    async with open_store(url_of(path)):
        assert f"{path} has 2 names (hard links)" in caplog.text
