"""``taskbeam copy``: what it says, where the key is, and a copy that is killed."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

from shared.auth.key_file import new_key, read_keys
from shared.models import CreateTask
from tests.shared.store.owner import new_owner
from tests.shared.store.postgres.engine import PostgresEngine
from tests.support.command_line import fail, succeed, taskbeam
from tests.support.processes import ROOT, running
from tests.support.stores import open_store
from tests.support.waiting import wait_until
from tests.taskbeam.commands.conftest import PASSWORD, Command

_CLEAN: Final = ("fsync", "no key")
"""What `taskbeam check` says of the tests' PostgreSQL, and of a folder without a key."""

_COUNTED: Final = "1 users, 0 tasks, 0 changes, 1 sessions, 0 exchanged tokens, 0 revocations, 0 addresses"

_LOG_OF_SOME_PAGES: Final = 1_000_000  # bytes of SQLite's write-ahead log


@pytest.fixture
def postgresql(tmp_path: Path) -> str:
    """The URL of an empty database."""
    return PostgresEngine(tmp_path).url


def _url(database: Path) -> str:
    return f"sqlite:///{database}"


def _copy(*arguments: str, folder: Path, environ: Mapping[str, str] | None = None) -> Any:
    return taskbeam("copy", *arguments, "--data", str(folder), environ=environ or {})


def _check(url: str) -> list[str]:
    findings = json.loads(taskbeam("check", "--json", "--database", url, environ={}).stdout)
    return [
        finding["text"]
        for finding in findings
        if finding["level"] == "problem" and not any(said in finding["text"] for said in _CLEAN)
    ]


def test_it_says_what_is_copied_and_where_the_key_is(
    command: Command, database: Path, postgresql: str, tmp_path: Path
) -> None:
    access = json.loads(succeed(command("token", "issue", "ada", "--json")))["access"]
    key = database.with_name("taskbeam.db.key")
    said = succeed(_copy(_url(database), postgresql, folder=tmp_path / "there")).splitlines()
    assert said == [
        "The copy begins: 2 rows.",
        f"{_COUNTED}: copied, read again on both sides, and equal.",
        f"The key is in {key}: set TASKBEAM_SECRET_KEY to its first line on every machine.",
    ]
    assert _check(postgresql) == []
    assert not key.read_text() in "".join(said)
    settings = {"TASKBEAM_SECRET_KEY": read_keys(key)[0]}
    there = ("--data", str(tmp_path / "there"), "--database", postgresql)
    inspected = succeed(taskbeam("token", "inspect", *there, environ=settings, stdin=access))
    assert inspected.split()[-1] == "accepted"


def test_back_with_json_and_a_key_that_is_a_setting(
    command: Command, database: Path, postgresql: str, tmp_path: Path
) -> None:
    succeed(command("token", "issue", "ada"))
    settings = {"TASKBEAM_SECRET_KEY": read_keys(database.with_name("taskbeam.db.key"))[0]}
    succeed(_copy(_url(database), postgresql, folder=tmp_path))
    back = _url(tmp_path / "new" / "taskbeam.db")
    told = json.loads(succeed(_copy(postgresql, back, "--json", folder=tmp_path, environ=settings)))
    assert (told["start"], told["key"]) == ("new", "setting")
    assert {name: table["rows"] for name, table in told["tables"].items() if table["rows"]} == {
        "users": 1,
        "sessions": 1,
    }
    assert _check(back) == []
    login = taskbeam("user", "passwd", "ada", "--database", back, environ={}, stdin=f"{PASSWORD}\n")
    succeed(login)


@pytest.mark.parametrize("former", [0, 2])
def test_former_keys_are_told_of(
    command: Command, database: Path, postgresql: str, tmp_path: Path, former: int
) -> None:
    succeed(command("token", "issue", "ada"))
    for _ in range(former):
        succeed(command("key", "rotate"))
    succeed(command("token", "issue", "ada"))
    said = succeed(_copy(_url(database), postgresql, folder=tmp_path))
    assert ("TASKBEAM_SECRET_KEYS_OLD to the others, separated by commas" in said) == (former > 0)


def test_down_again_the_key_s_file_has_a_place_too(
    command: Command, database: Path, postgresql: str, tmp_path: Path
) -> None:
    succeed(command("token", "issue", "ada"))
    folder, new = tmp_path / "there", tmp_path / "new.db"
    folder.mkdir()
    key = folder / "taskbeam.key"
    key.write_text(database.with_name("taskbeam.db.key").read_text())
    succeed(_copy(_url(database), postgresql, folder=folder))
    said = succeed(_copy(postgresql, _url(new), folder=folder))
    assert said.endswith(f"The key is {key}: copy that to {new}.key, before the first start (cp -p).\n")


def test_a_key_that_did_not_sign_is_not_taken_for_the_key(
    command: Command, database: Path, postgresql: str, tmp_path: Path
) -> None:
    succeed(command("token", "issue", "ada"))
    key = database.with_name("taskbeam.db.key")
    key.write_text(new_key())
    said = succeed(_copy(_url(database), postgresql, folder=tmp_path))
    assert said.splitlines()[-1].startswith(f"The key is not {key}: set TASKBEAM_SECRET_KEY to it")


def test_what_is_no_url_is_wrong_usage_and_says_no_password(tmp_path: Path) -> None:
    for urls in (("a.db", "b.db"), ("sqlite:///a.db", "mysql://u:secret@h/d"), ("sqlite:///a.db",)):
        said = fail(_copy(*urls, folder=tmp_path), 2)
        assert "secret" not in said
        assert "copy --help" in said
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_away_is_one_line_without_the_password(
    command: Command, database: Path, tmp_path: Path
) -> None:
    said = fail(_copy(_url(database), "postgresql://u:secret@127.0.0.1:9/name", folder=tmp_path))
    assert said.startswith("taskbeam: postgresql://u@127.0.0.1:9/name: ")
    assert "secret" not in said


def test_a_database_that_is_there_already_is_left_alone(
    command: Command, database: Path, postgresql: str, tmp_path: Path
) -> None:
    succeed(_copy(_url(database), postgresql, folder=tmp_path))
    said = fail(_copy(_url(database), postgresql, folder=tmp_path))
    assert said.endswith(" is not empty: a copy goes into a new database")
    assert fail(_copy(postgresql, _url(database), folder=tmp_path)).endswith(
        f"{database} is not empty: a copy goes into a new database"
    )


async def _fill(url: str) -> None:
    """Users with tasks enough for many pages of rows."""
    async with open_store(url) as store:
        owners = [await new_owner(store) for _ in range(10)]
        for _ in range(15):
            await asyncio.gather(*(owner.batch(*[CreateTask(None, "x" * 100)] * 100) for owner in owners))


def _rows_copied(url: str) -> int:
    """As the mark in the database says; 0 where there is none."""
    query = "SELECT value FROM meta WHERE key = 'copy'"
    if url.startswith("postgresql:"):
        with psycopg.connect(url) as connection:
            found = connection.execute("SELECT to_regclass('meta') IS NOT NULL").fetchone() == (True,)
            rows = connection.execute(query).fetchall() if found else []
    else:
        rows = _read_beside(Path(url.removeprefix("sqlite:///")), query)
    return int(json.loads(rows[0][0])["rows"]) if rows else 0


def _read_beside(database: Path, query: str) -> list[Any]:
    """Of a copy of the files: a connection to the database itself would keep the next `taskbeam copy` out."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            for name in (database.name, f"{database.name}-wal"):
                shutil.copyfile(database.with_name(name), Path(folder, name))
            with closing(sqlite3.connect(Path(folder, database.name))) as connection:
                return connection.execute(query).fetchall()
        except (FileNotFoundError, sqlite3.DatabaseError):  # it is just being made, or written
            return []


def _progress(url: str) -> int:
    """A number that grows with the rows that are written; to ask for it keeps no copy out."""
    if url.startswith("postgresql:"):
        return _rows_copied(url)
    log = Path(f"{url.removeprefix('sqlite:///')}-wal")
    return log.stat().st_size // _LOG_OF_SOME_PAGES if log.exists() else 0


def _kill_in_the_middle(*arguments: str) -> None:
    """Run the command, and kill it when it has made some progress; it is slower than this process is."""
    target = arguments[2]
    before = _progress(target)
    with subprocess.Popen(
        ["nice", "-n", "19", sys.executable, "-m", "taskbeam", *arguments], cwd=ROOT
    ) as copying:
        wait_until(lambda: _progress(target) > before, 60, "some more rows")
        copying.kill()
    assert copying.returncode == -signal.SIGKILL, "it was killed before its end"


@pytest.mark.parametrize("up", [True, False], ids=["up", "down"])
def test_a_copy_that_is_killed_at_any_moment_goes_on(tmp_path: Path, postgresql: str, up: bool) -> None:
    source, target = _url(tmp_path / "taskbeam.db"), postgresql
    if not up:
        source, target = target, source
    asyncio.run(_fill(source))
    arguments = ("copy", source, target, "--data", str(tmp_path), "--json")
    rows = 0
    while rows < 15_000:
        _kill_in_the_middle(*arguments)
        before, rows = rows, _rows_copied(target)
        assert before <= rows < 30_010
        assert "part of a copy that has not ended" in fail(
            taskbeam("stats", "--database", target, environ={})
        )
    told = json.loads(succeed(taskbeam(*arguments, environ={})))
    assert told["start"] == "resumed"
    assert [told["tables"][name]["rows"] for name in ("users", "tasks", "changes")] == [10, 15_000, 15_000]
    assert _check(target) == []


def test_what_has_changed_since_is_said(tmp_path: Path, postgresql: str) -> None:
    source = _url(tmp_path / "taskbeam.db")
    asyncio.run(_fill(source))
    arguments = ("copy", source, postgresql, "--data", str(tmp_path))
    _kill_in_the_middle(*arguments)
    first, *_ = json.loads(succeed(taskbeam("user", "list", "--json", "--database", source, environ={})))
    succeed(taskbeam("user", "disable", first["username"], "--database", source, environ={}))
    said = succeed(taskbeam(*arguments, environ={})).splitlines()
    assert said[0] == (
        f"What was copied before is not what {tmp_path}/taskbeam.db has now: the copy begins anew, 30011 rows."
    )
    assert _check(postgresql) == []


def test_a_source_in_use_is_said_to_be(tmp_path: Path, postgresql: str) -> None:
    database = tmp_path / "taskbeam.db"
    with running(tmp_path, DATABASE_URL=_url(database), EVENTS_URL=""):
        said = fail(_copy(_url(database), postgresql, folder=tmp_path))
    assert said == f"taskbeam: {database} is in use: stop Taskbeam first"
