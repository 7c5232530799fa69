"""``taskbeam import-django`` on a database that Django, DRF and simplejwt made; what their clients have goes on working."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from tests.support.clients import Answer, Rest, connected
from tests.support.django_environment import make_application_database
from tests.support.postgresql import postgresql
from tests.support.processes import ROOT, System, running
from tests.support.waiting import wait_until

_HASHES: Final = ("pbkdf2_sha256", "pbkdf2_sha1", "scrypt", "argon2", "bcrypt", "bcrypt_sha256")


class Application(NamedTuple):
    """The original's database, and what its clients know."""

    database: Path
    told: dict[str, Any]


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Application:
    database = tmp_path_factory.mktemp("django") / "db.sqlite3"
    return Application(database, make_application_database(database))


def _run(source: Path | str, into: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "taskbeam", "import-django", str(source), *options],
        cwd=ROOT,
        env={**os.environ, "TASKBEAM_DATABASE_URL": f"sqlite:///{into}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _report(source: Path | str, into: Path, *options: str) -> Any:
    done = _run(source, into, "--json", *options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def imported(
    application: Application, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[System, Any]]:
    """A running instance, and what was said when the application was imported into it while it ran."""
    folder = tmp_path_factory.mktemp("imported")
    with running(folder, SECRET_KEYS_OLD=application.told["key"]) as system:
        yield system, _report(application.database, system.database)


def test_the_report_says_what_came_in_and_why_the_rest_did_not(
    application: Application, imported: tuple[System, Any]
) -> None:
    report, tasks = imported[1], application.told["tasks"]
    users = report["users"]
    assert (users["added"], users["present"], users["differing"]) == (9, 0, [])
    assert [row["id"] for row in users["skipped"]] == ["ANN"]
    assert "counts as the same" in users["skipped"][0]["reason"]
    assert (report["tasks"]["added"], report["tasks"]["differing"]) == (2, [])
    assert report["tasks"]["skipped"] == [
        {"id": tasks[2], "reason": "task: Ensure this field has no more than 255 characters."},
        {"id": tasks[3], "reason": f"the user {application.told['users']['ＡＮＮ']} is not here"},
    ]
    assert report["passwords"] == [{"id": "unusable", "reason": "has none there"}]
    assert report["ended_tokens"] == 1


def _log_in(system: System, username: str, password: str) -> Answer:
    return Rest(system)("POST", "/login/", {"username": username, "password": password})


@pytest.mark.parametrize("username", _HASHES)
def test_a_user_logs_in_with_the_password_whatever_hash_it_has(
    application: Application, imported: tuple[System, Any], username: str
) -> None:
    system = imported[0]
    assert _log_in(system, username, "wrong").status == 401
    answer = _log_in(system, username, application.told["password"])
    assert answer.status == 200
    me = Rest(system, answer.body["access"])("GET", "/me/").body
    assert (me["id"], me["username"]) == (application.told["users"][username], username)


def test_a_hash_is_made_anew_as_ours_after_the_login(
    application: Application, imported: tuple[System, Any]
) -> None:
    system = imported[0]
    assert _log_in(system, "argon2", application.told["password"]).status == 200

    def encoded() -> str:
        with closing(sqlite3.connect(system.database)) as connection:
            rows = connection.execute("SELECT password FROM users WHERE username = 'argon2'").fetchall()
        return str(rows[0][0])

    wait_until(lambda: encoded().startswith("bcrypt_sha256$$2b$04$"), 10, "the hash is renewed")
    assert _log_in(system, "argon2", application.told["password"]).status == 200


@pytest.mark.parametrize("username", ["unusable", "disabled", "gone"])
def test_nobody_else_logs_in(application: Application, imported: tuple[System, Any], username: str) -> None:
    for password in (application.told["password"], "", "!"):
        assert _log_in(imported[0], username, password).status in (400, 401)


async def test_tokens_that_simplejwt_issued_are_good(
    application: Application, imported: tuple[System, Any]
) -> None:
    system, told = imported[0], application.told
    listed = Rest(system, told["access"])("GET", "/").body
    assert [(task["uuid"], task["task"], task["description"], task["completed"]) for task in listed] == [
        (told["tasks"][1], "First", "Some words", True),
        (told["tasks"][0], "Second", "", False),
    ]
    assert listed[0]["user_id"] == told["users"]["Ann"]
    assert listed[0]["time_created"] == "2024-02-29T12:01:00.000000Z"
    assert listed[0]["time_modified"] == "2024-03-01T12:01:00.123456Z"
    async with connected(system, told["access"]) as socket:
        assert [task["uuid"] for task in (await socket.ask({"mode": "all"}))["task"]] == told["tasks"][1::-1]
    refreshed = Rest(system)("POST", "/token-refresh/", {"refresh": told["refresh"]})
    assert refreshed.status == 200
    assert Rest(system, refreshed.body["access"])("GET", "/me/").body["username"] == "Ann"


def test_a_refresh_token_that_was_ended_there_stays_refused(
    application: Application, imported: tuple[System, Any]
) -> None:
    answer = Rest(imported[0])("POST", "/token-refresh/", {"refresh": application.told["ended"]})
    assert (answer.status, answer.body["code"]) == (401, "token_not_valid")


def test_a_second_import_writes_nothing_and_says_what_has_changed(
    application: Application, tmp_path: Path
) -> None:
    source, into = tmp_path / "db.sqlite3", tmp_path / "taskbeam.db"
    shutil.copy(application.database, source)
    assert _report(source, into, "--dry-run")["tasks"]["added"] == 2
    assert not into.exists()
    _report(source, into)
    before = _content(into)
    again = _report(source, into)
    assert (again["users"]["added"], again["users"]["present"]) == (0, 9)
    assert (again["tasks"]["added"], again["tasks"]["present"]) == (0, 2)
    with closing(sqlite3.connect(source)) as connection:
        connection.execute("UPDATE api_task SET task = 'Third' WHERE task = 'First'")
        connection.execute("UPDATE auth_user SET is_active = 0 WHERE username = 'scrypt'")
        connection.commit()
    changed = _report(source, into)
    assert [row["id"] for row in changed["users"]["differing"]] == ["scrypt"]
    assert [row["id"] for row in changed["tasks"]["differing"]] == [application.told["tasks"][1]]
    assert _content(into) == before


def _content(database: Path) -> list[Any]:
    with closing(sqlite3.connect(database)) as connection:
        return [
            connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()
            for table in ("users", "feeds", "tasks", "changes", "sessions", "rotated_tokens")
        ]


def test_a_database_of_postgresql_comes_in_as_one_of_sqlite_does(
    application: Application, tmp_path: Path
) -> None:
    reports, contents = [], []
    with postgresql() as url:
        make_application_database(url)
        for name, source in (("sqlite", str(application.database)), ("postgresql", url)):
            into = tmp_path / f"{name}.db"
            reports.append(_report(source, into))
            contents.append(_content_without_secrets(into))
        failed = _run(f"{url}/nowhere", tmp_path / "none.db")
    assert failed.stderr.startswith("taskbeam: cannot read the database: connection failed: ")
    assert (failed.returncode, failed.stderr.count("\n")) == (1, 1)
    assert reports[0] == reports[1]
    assert reports[1]["tasks"]["added"] == 2
    assert contents[0] == contents[1]


def _content_without_secrets(database: Path) -> list[Any]:
    """But for what is another in each database: hashes, epochs, the ids of sessions."""
    with closing(sqlite3.connect(database)) as connection:
        return [
            connection.execute(query).fetchall()
            for query in (
                "SELECT id, username, is_active, date_joined FROM users ORDER BY id",
                "SELECT id, user_id, json FROM tasks ORDER BY id",
                "SELECT user_id, seq, mode, task FROM changes ORDER BY user_id, seq",
                "SELECT count(*) FROM sessions",
            )
        ]


@pytest.mark.parametrize(
    ("source", "options", "reason"),
    [
        ("nowhere.sqlite3", (), "there is no file"),
        ("no.sqlite3", (), "file is not a database"),
        ("empty.sqlite3", (), "no table has the users: none has the columns id, username, password"),
        ("", ("--tasks-table", "auth_user"), "the table auth_user has no column uuid, user_id"),
        ("", ("--users-table", "people"), "there is no table people"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line_and_nothing_is_made(
    application: Application, tmp_path: Path, source: str, options: tuple[str, ...], reason: str
) -> None:
    (tmp_path / "no.sqlite3").write_text(
        "This is a text, and a long one, so that it is no database of SQLite's.\n" * 9
    )
    (tmp_path / "empty.sqlite3").touch()
    done = _run(tmp_path / source if source else application.database, tmp_path / "taskbeam.db", *options)
    assert done.returncode == 1
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "taskbeam.db").exists()
