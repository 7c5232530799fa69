"""Users, tokens and the key, by an operator; nobody serves the database."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest

from tests.support.command_line import fail, succeed, taskbeam
from tests.support.terminal import Terminal
from tests.taskbeam.commands.conftest import PASSWORD, Command


def users(command: Command) -> list[dict[str, object]]:
    listed: list[dict[str, object]] = json.loads(succeed(command("user", "list", "--json")))
    return listed


def test_users_are_listed_as_json_and_as_a_table(command: Command) -> None:
    [ada] = users(command)
    assert (ada["username"], ada["is_active"], ada["tasks"]) == ("ada", True, 0)
    header, row = succeed(command("user", "list")).splitlines()
    assert header.split() == ["id", "username", "active", "joined", "tasks", "seq"]
    assert row.split() == ["1", "ada", "yes", str(ada["date_joined"])[:10], "0", "0"]


def test_a_user_is_disabled_enabled_and_removed(command: Command) -> None:
    for verb, active in (("disable", False), ("enable", True)):
        succeed(command("user", verb, "ADA"))
        assert [user["is_active"] for user in users(command)] == [active]
    succeed(command("user", "rm", "ada", "--yes"))
    assert users(command) == []


def test_a_user_is_not_removed_without_a_yes(command: Command) -> None:
    assert command("user", "rm", "ada", stdin="n\n").exit_code == 1
    assert len(users(command)) == 1


@pytest.mark.parametrize("verb", ["disable", "enable", "passwd", "rm"])
def test_a_user_who_is_not_there_is_one_line(command: Command, verb: str) -> None:
    options = ["--yes"] if verb == "rm" else []
    said = fail(command("user", verb, "nobody", *options, stdin=f"{PASSWORD}\n"))
    assert said == "taskbeam: there is no user nobody"
    said = fail(command("user", verb, "\udcff", *options, stdin=f"{PASSWORD}\n"))
    assert said.startswith("taskbeam: there is no user ")


@pytest.mark.parametrize(
    ("name", "password", "message"),
    [
        ("ada", PASSWORD, "username: A user with that username already exists."),
        ("a b", PASSWORD, "username: Enter a valid username."),
        ("bob", "short", "password: This password is too short."),
        ("bob", "", "password: This field may not be blank."),
    ],
)
def test_the_rules_of_a_registration_hold(command: Command, name: str, password: str, message: str) -> None:
    assert fail(command("user", "add", name, stdin=f"{password}\n")).startswith(f"taskbeam: {message}")


def test_without_a_password_on_standard_input_nothing_is_made(command: Command) -> None:
    assert fail(command("user", "add", "bob", stdin="")) == "taskbeam: no password on standard input"


def inspect(command: Command, token: str, status: int = 0) -> dict[str, object]:
    result = command("token", "inspect", "--json", stdin=token)
    assert result.exit_code == status, result.output
    found: dict[str, object] = json.loads(result.stdout)
    return found


def test_issued_tokens_are_good_until_the_password_is_another(command: Command) -> None:
    issued = json.loads(succeed(command("token", "issue", "ada", "--json")))
    for kind in ("access", "refresh"):
        found = inspect(command, issued[kind])
        assert found["accepted"] is True
        assert isinstance(found["claims"], dict)
        assert (found["claims"]["token_type"], found["claims"]["user_id"]) == (kind, "1")
    succeed(command("user", "passwd", "ada", stdin="another password\n"))
    assert inspect(command, issued["access"], 1)["reason"] == "Token is blacklisted"


def test_tokens_can_be_copied_from_a_narrow_terminal(command: Command, database: Path) -> None:
    environ = {**os.environ, "TASKBEAM_DATABASE_URL": f"sqlite:///{database}"}
    environ.pop("TASKBEAM_TEST_LOOP", None)
    terminal = Terminal(
        *(sys.executable, "-m", "taskbeam", "token", "issue", "ada"), environ=environ, columns=40
    )
    assert terminal.end() == 0
    for line in terminal.text.splitlines():
        inspect(command, line.split()[1])


def test_no_tokens_for_users_who_are_disabled_or_not_there(command: Command) -> None:
    succeed(command("user", "disable", "ada"))
    assert fail(command("token", "issue", "ada")) == "taskbeam: user ada is disabled"
    assert fail(command("token", "issue", "eve")) == "taskbeam: there is no user eve"


@pytest.mark.parametrize("arguments", [["user", "passwd", "ada"], ["token", "inspect"]])
def test_what_comes_in_must_be_utf_8(command: Command, arguments: list[str]) -> None:
    assert fail(command(*arguments, stdin=b"pass\xffword\n")).endswith(" on standard input is not UTF-8")


def test_what_is_no_token_is_one_line(command: Command) -> None:
    assert fail(command("token", "inspect", stdin="no token")) == "taskbeam: this is no token"


def test_tokens_live_on_after_the_key_was_rotated_unless_they_are_to_end(
    command: Command, database: Path
) -> None:
    first = json.loads(succeed(command("token", "issue", "ada", "--json")))["access"]
    key = database.with_name(database.name + ".key")
    former = key.read_text()
    succeed(command("key", "rotate"))
    assert key.read_text().endswith(f"\n{former}")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    second = json.loads(succeed(command("token", "issue", "ada", "--json")))["access"]
    assert [inspect(command, token)["accepted"] for token in (first, second)] == [True, True]
    for _ in range(5):
        succeed(command("key", "rotate"))
    assert len(key.read_text().splitlines()) == 4
    succeed(command("key", "rotate", "--end-tokens"))
    assert len(key.read_text().splitlines()) == 1
    assert inspect(command, second, 1)["reason"] == "Token is invalid"


def test_a_key_that_is_a_setting_is_said_and_not_stored(command: Command, database: Path) -> None:
    environ = {"TASKBEAM_DATABASE_URL": f"sqlite:///{database}", "TASKBEAM_SECRET_KEY": "k" * 40}
    said = succeed(taskbeam("key", "rotate", environ=environ))
    assert "TASKBEAM_SECRET_KEY=" in said
    made = json.loads(succeed(taskbeam("key", "rotate", "--json", environ=environ)))["secret_key"]
    assert len(made) >= 32
    assert not database.with_name(database.name + ".key").exists()


def test_no_key_to_rotate_is_one_line(command: Command, database: Path) -> None:
    said = fail(command("key", "rotate"))
    assert said == f"taskbeam: {database}.key: No such file or directory"
    key = database.with_name(f"{database.name}.key")
    key.write_text("short\n")
    assert fail(command("key", "rotate")).startswith(f"taskbeam: {key} holds none")
    key.write_text("k" * 40 + "\n")
    assert json.loads(succeed(command("key", "rotate", "--json"))) == {"file": str(key)}
