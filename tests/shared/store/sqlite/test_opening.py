"""Opening the file: what is made and with which rights, what is refused, and the pragmas that must hold."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import threading
from pathlib import Path

import aiosqlite
import pytest

from shared.errors import Unavailable
from shared.store.sqlite.connections import on_thread
from shared.store.sqlite.opening import has_wal_reset_race
from shared.store.sqlite.write_lock import WriteLock
from tests.shared.store.children import child
from tests.shared.store.owner import new_owner
from tests.shared.store.programs import open_one
from tests.shared.store.sqlite.engine import url_of
from tests.shared.store.sqlite.programs import hold_lock, open_without_privileges
from tests.shared.store.sqlite.sqlite_file import inline_connection, readers_of, thread_connections
from tests.support.stores import open_store


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def _refusal(path: Path) -> str:
    """Why the store cannot be opened."""
    with pytest.raises(Unavailable) as refused:
        async with open_store(url_of(path)):
            raise AssertionError("it was opened")
    return refused.value.reason


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
async def test_files_are_for_their_owner_alone_and_so_are_the_folders_made(
    tmp_path: Path, umask: int
) -> None:
    there = tmp_path / "there"
    os.mkdir(there, 0o755)
    os.chmod(there, 0o755)
    path = there / "made" / "too" / "taskbeam.db"
    before = os.umask(umask)
    try:
        async with open_store(url_of(path)) as store:
            await (await new_owner(store)).create()
            files = sorted(path.parent.iterdir())
            modes = {file.name: _mode(file) for file in files}
    finally:
        os.umask(before)
    suffixes = ("", "-lock", "-schema", "-shm", "-upgrade", "-wal")
    assert modes == {f"taskbeam.db{suffix}": 0o600 for suffix in suffixes}
    assert [_mode(folder) for folder in (path.parent, path.parent.parent)] == [0o700, 0o700]
    assert _mode(there) == 0o755, "a folder that was there keeps its mode"


async def test_percent_encoded_and_odd_names_are_files_like_any_other(tmp_path: Path) -> None:
    async with open_store(url_of(tmp_path / "a%20b?mode=memory#c.db")) as store:
        await new_owner(store)
    assert (tmp_path / "a b?mode=memory#c.db").stat().st_size > 0


PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": 2,  # FULL
    "wal_autocheckpoint": 0,
    "foreign_keys": 1,
}


async def test_every_connection_has_the_pragmas_that_durability_rests_on(path: Path) -> None:
    async with open_store(url_of(path)) as store:

        def read(plain: sqlite3.Connection) -> dict[str, object]:
            return {name: plain.execute(f"PRAGMA {name}").fetchone()[0] for name in [*PRAGMAS, "query_only"]}

        for number, connection in enumerate(thread_connections(store)):
            found = await on_thread(connection, read)
            assert found == {**PRAGMAS, "query_only": int(number > 0)}
        assert read(inline_connection(store)) == {**PRAGMAS, "query_only": 1}


async def test_reader_cannot_write(path: Path) -> None:
    async with open_store(url_of(path)) as store:
        for reader in readers_of(store):
            with pytest.raises(Unavailable) as refused:
                await reader.submit(lambda plain: plain.execute("DELETE FROM users"))
            assert "readonly" in refused.value.reason
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            inline_connection(store).execute("DELETE FROM users")


async def test_database_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "taskbeam.db"
    async with open_store(url_of(path)):
        pass
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 9999")
    connection.close()
    content = path.read_bytes()
    reason = await _refusal(path)
    assert "9999" in reason
    assert "version" in reason
    assert path.read_bytes() == content


async def test_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "taskbeam.db"
    path.write_text("Dear diary, " * 1000)
    assert str(path) in await _refusal(path)
    assert path.read_text() == "Dear diary, " * 1000


async def test_a_file_that_a_checkpoint_writes_is_read_when_it_is_whole(tmp_path: Path) -> None:
    """The first page comes first, and says how many there are; until the last one is there, the file looks damaged."""
    path = tmp_path / "taskbeam.db"
    async with open_store(url_of(path)):
        pass
    whole = path.stat().st_size
    last_page = path.read_bytes()[-4096:]
    async with child(hold_lock, str(path)) as writer, child(open_one, url_of(path)) as opener:
        await writer.ready()
        await opener.ready()
        os.truncate(path, whole - 4096)
        opener.start()
        hearing = asyncio.create_task(opener.hear())
        done, _ = await asyncio.wait([hearing], timeout=0.3)
        assert not done, done
        with path.open("ab") as file:
            file.write(last_page)
        writer.start()
        assert list(await hearing) == ["epoch"]


async def test_a_damaged_file_is_refused_although_nobody_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "taskbeam.db"
    async with open_store(url_of(path)):
        pass
    os.truncate(path, path.stat().st_size - 4096)
    assert "malformed" in await _refusal(path)


@pytest.mark.parametrize("held", [False, True])
async def test_the_last_connection_is_closed_under_the_lock(
    path: Path, monkeypatch: pytest.MonkeyPatch, held: bool
) -> None:
    """It copies the log into the file. Where another process holds the lock, that one has a connection too."""
    locked = []
    close = aiosqlite.Connection.close

    async def look_and_close(connection: aiosqlite.Connection) -> None:
        lock = WriteLock(path.with_name(path.name + "-lock"))
        try:
            with lock.held(0):
                locked.append(False)
        except Unavailable:
            locked.append(True)
        finally:
            lock.close()
        await close(connection)

    monkeypatch.setattr(aiosqlite.Connection, "close", look_and_close)
    other = WriteLock(path.with_name(path.name + "-lock"))
    async with open_store(url_of(path)):
        if held:
            other.acquire()
    other.close()
    assert locked[-1]


async def test_database_of_another_program_is_refused_and_left_alone(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE users (name TEXT)")
    connection.close()
    await _refusal(path)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("users",)]
    connection.close()


async def test_folder_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    assert "directory" in (await _refusal(tmp_path)).lower()


async def test_file_in_the_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "directory" in (await _refusal(tmp_path / "file" / "taskbeam.db")).lower()


async def test_folder_that_cannot_be_made_is_refused() -> None:
    assert "/proc/taskbeam" in await _refusal(Path("/proc/taskbeam/taskbeam.db"))


@pytest.mark.parametrize("what", ["a new file", "the file", "the side files"])
async def test_what_may_not_be_written_is_refused(tmp_path: Path, what: str) -> None:
    path = tmp_path / "data" / "taskbeam.db"
    if what == "a new file":
        path.parent.mkdir()
    else:
        async with open_store(url_of(path)):
            pass
    (path if what == "the file" else path.parent).chmod(0o500)
    try:
        async with child(open_without_privileges, url_of(path)) as process:  # root may write everywhere
            await process.ready()
            process.start()
            heard = await process.hear()
    finally:
        path.parent.chmod(0o700)
    assert list(heard) == ["unavailable"]
    assert str(path) in heard["unavailable"]


async def test_failed_opening_leaves_no_thread_behind(tmp_path: Path) -> None:
    """An aiosqlite connection that is not closed keeps the interpreter from ending."""
    path = tmp_path / "taskbeam.db"
    path.write_text("no database" * 1000)
    before = set(threading.enumerate())
    await _refusal(path)
    for thread in set(threading.enumerate()) - before:
        await asyncio.to_thread(thread.join, 5)
        assert not thread.is_alive()


@pytest.mark.parametrize(
    ("version", "affected"),
    [
        ((3, 6, 23), False),
        ((3, 7, 0), True),
        ((3, 37, 2), True),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 49, 9), True),
        ((3, 50, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 0), True),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 52, 0), False),
        ((4, 0, 0), False),
    ],
)
def test_versions_with_the_wal_reset_race_are_known(version: tuple[int, int, int], affected: bool) -> None:
    assert has_wal_reset_race(version) is affected
