"""Commands about the whole database: migrate, check, stats, export, import, backup, restore; nobody serves it."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.command_line import fail, succeed, taskbeam
from tests.taskbeam.commands.conftest import Command


def test_a_database_is_made_by_migrate_and_by_nothing_that_only_looks(tmp_path: Path) -> None:
    environ = {"TASKBEAM_DATABASE_URL": f"sqlite:///{tmp_path}/taskbeam.db"}
    for arguments in (
        ["stats"],
        ["user", "list"],
        ["user", "disable", "ada"],
        ["token", "issue", "ada"],
        ["check"],
        ["backup", str(tmp_path / "backup.db")],
        ["user", "export"],
    ):
        assert "there is no database" in fail(taskbeam(*arguments, environ=environ))
    assert list(tmp_path.iterdir()) == []
    assert len(json.loads(succeed(taskbeam("migrate", "--json", environ=environ)))["epoch"]) == 16
    assert json.loads(succeed(taskbeam("stats", "--json", environ=environ)))["users"] == 0


def test_bad_settings_are_named_one_a_line_with_status_2(tmp_path: Path) -> None:
    environ = {"TASKBEAM_DATABASE_URL": "mysql://x", "TASKBEAM_WS_PORT": "many"}
    result = taskbeam("stats", environ=environ)
    assert result.exit_code == 2
    assert [line.split(":")[1].strip() for line in result.stderr.splitlines()] == list(environ)


def test_a_database_named_by_the_option_goes_before_the_setting(
    command: Command, database: Path, tmp_path: Path
) -> None:
    said = fail(command("stats", "--database", f"sqlite:///{tmp_path}/none.db"))
    assert f"{tmp_path}/none.db" in said


@pytest.mark.parametrize("option", ["--data", "--env-file", "--database"])
def test_an_empty_option_is_refused_as_it_names_another_instance_than_was_meant(option: str) -> None:
    assert f"Invalid value for '{option}': It is empty." in fail(taskbeam("stats", option, "", environ={}), 2)


def test_stats_count(command: Command) -> None:
    counted = json.loads(succeed(command("stats", "--json")))
    assert counted.pop("size") > 0
    assert counted == {"users": 1, "disabled": 0, "tasks": 0, "changes": 0, "sessions": 0}
    assert succeed(command("stats")).split()[:4] == ["what", "number", "users", "1"]


def test_check_says_what_is_well_and_what_is_not(command: Command, database: Path) -> None:
    well = json.loads(succeed(command("check", "--json")))
    assert {finding["level"] for finding in well} <= {"ok", "warning"}
    assert any("no key" in finding["text"] for finding in well)
    database.with_name(database.name + ".key").write_text("short")
    os.chmod(database, 0o644)
    result = command("check")
    assert result.exit_code == 1
    problems = [line for line in result.stdout.splitlines() if line.startswith("PROBLEM ")]
    assert len(problems) == 3, problems  # the key's mode is another's, too
    assert f"{database} has mode 0644" in result.stdout


def test_check_says_which_event_loop_runs(
    command: Command, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "warning the servers run on asyncio's event loop" in succeed(command("check"))


def test_an_export_is_imported_elsewhere(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "users.jsonl"
    succeed(command("user", "export", "--output", str(file)))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert succeed(command("user", "export", "ada")) == file.read_text()
    elsewhere = {"TASKBEAM_DATABASE_URL": f"sqlite:///{tmp_path}/elsewhere/taskbeam.db"}
    said = succeed(taskbeam("user", "import", str(file), environ=elsewhere))
    assert said == "1 users and 0 tasks are added; 0 were here already.\n"
    again = taskbeam("user", "import", "-", "--json", environ=elsewhere, stdin=file.read_text())
    assert json.loads(succeed(again)) == {"users": 0, "tasks": 0, "present": 1}


def test_an_export_replaces_no_file_and_leaves_none_half(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "users.jsonl"
    assert (
        fail(command("user", "export", "nobody", "--output", str(file)))
        == "taskbeam: there is no user nobody"
    )
    assert not file.exists()
    file.write_text("precious")
    assert fail(command("user", "export", "--output", str(file))) == f"taskbeam: {file}: File exists"
    assert file.read_text() == "precious"


def test_a_line_that_cannot_be_imported_is_one_line(command: Command) -> None:
    said = fail(command("user", "import", "-", stdin="no JSON\n"))
    assert said.startswith("taskbeam: standard input: line 1: JSON is malformed")
    assert (
        fail(command("user", "import", "no-such-file")) == "taskbeam: no-such-file: No such file or directory"
    )


def test_a_task_without_a_uuid_is_not_imported(command: Command) -> None:
    times = {"time_created": "2026-01-01T00:00:00Z", "time_modified": "2026-01-01T00:00:00Z"}
    line = json.dumps({"kind": "task", "username": "ada", "task": {"task": "Milk", **times}})
    assert "line 1: no task: it has no uuid" in fail(command("user", "import", "-", stdin=line))
    assert json.loads(succeed(command("stats", "--json")))["tasks"] == 0


def test_a_backup_never_replaces_the_database_itself(
    command: Command, database: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(database)
    before = database.stat()
    for name in (database, link, database.with_name("taskbeam.db-wal")):
        said = fail(command("backup", str(name), "--force"))
        assert said == f"taskbeam: {name} is the database itself"
    assert os.path.samestat(before, database.stat())


def test_nothing_is_restored_where_the_key_beside_the_backup_cannot_be_used(
    command: Command, database: Path, tmp_path: Path
) -> None:
    backup = tmp_path / "backup.db"
    succeed(command("backup", str(backup)))
    before = database.stat()
    (tmp_path / "backup.db.key").write_text("short")
    os.chmod(tmp_path / "backup.db.key", 0o600)
    assert "nothing is restored, the key cannot be used: " in fail(command("restore", str(backup)))
    assert os.path.samestat(before, database.stat())


def test_a_backup_on_another_machine_with_its_key_keeps_tokens_good(
    command: Command, database: Path, tmp_path: Path
) -> None:
    access = json.loads(succeed(command("token", "issue", "ada", "--json")))["access"]
    backup = tmp_path / "backup.db"
    made = json.loads(succeed(command("backup", str(backup), "--with-key", "--json")))
    assert made == {"file": str(backup), "key": f"{backup}.key", "size": backup.stat().st_size}
    assert stat.S_IMODE((tmp_path / "backup.db.key").stat().st_mode) == 0o600
    elsewhere = {"TASKBEAM_DATABASE_URL": f"sqlite:///{tmp_path}/elsewhere/taskbeam.db"}
    restored = json.loads(succeed(taskbeam("restore", str(backup), "--json", environ=elsewhere)))
    assert (restored["former"], restored["key"]) == (None, "installed")
    said = succeed(taskbeam("token", "inspect", environ=elsewhere, stdin=access))
    assert said.split()[-1] == "accepted"


def test_a_backup_without_its_key_leaves_the_key_that_is_there(
    command: Command, database: Path, tmp_path: Path
) -> None:
    succeed(command("token", "issue", "ada"))
    key = database.with_name(database.name + ".key").read_text()
    succeed(command("backup", str(tmp_path / "backup.db")))
    said = succeed(command("restore", str(tmp_path / "backup.db")))
    assert f"The database from before is {database}.before-restore-1" in said
    assert database.with_name(database.name + ".key").read_text() == key
    assert (
        fail(command("backup", str(tmp_path / "backup.db")))
        == f"taskbeam: {tmp_path}/backup.db exists already"
    )
    succeed(command("backup", str(tmp_path / "backup.db"), "--force"))


def test_a_backup_that_is_not_there_is_one_line(command: Command, database: Path, tmp_path: Path) -> None:
    assert fail(command("restore", str(tmp_path / "none"))) == f"taskbeam: there is no backup {tmp_path}/none"


def test_a_name_cannot_command_the_terminal(command: Command, database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE users SET username = char(27) || '[2J'")
    assert "\x1b" not in succeed(command("user", "list"))
