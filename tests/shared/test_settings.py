"""The environment: defaults, what is taken, and how what is bad is told."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared.settings import VARIABLES, SettingsError, load_settings
from tests.shared.settings_cases import BAD, DEFAULTS, GOOD
from tests.support.processes import ROOT


def test_defaults_are_those_of_the_contract() -> None:
    assert dataclasses.asdict(load_settings({})) == DEFAULTS


def test_every_variable_is_a_setting_and_says_what_it_means() -> None:
    assert [variable.name.lower() for variable in VARIABLES] == list(DEFAULTS)
    assert all(variable.help for variable in VARIABLES)


def test_empty_string_is_as_good_as_no_variable() -> None:
    empty = {f"TASKBEAM_{name.upper()}": "" for name in DEFAULTS}
    assert load_settings(empty) == load_settings({})


def test_variables_without_our_prefix_are_not_ours() -> None:
    others = {"WS_PORT": "1", "taskbeam_WS_PORT": "1", "TASKBEAM_NEVER_HEARD_OF": "x"}
    assert load_settings(others) == load_settings({})


@pytest.mark.parametrize(("name", "text", "value"), GOOD)
def test_value_is_parsed(name: str, text: str, value: object) -> None:
    assert getattr(load_settings({f"TASKBEAM_{name}": text}), name.lower()) == value


def _problems(environ: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        load_settings(environ)
    assert str(refused.value) == "\n".join(refused.value.problems)
    return refused.value.problems


@pytest.mark.parametrize(("name", "text"), BAD)
def test_bad_value_is_named_with_what_was_expected(name: str, text: str) -> None:
    [problem] = _problems({f"TASKBEAM_{name}": text})
    assert problem.startswith(f"TASKBEAM_{name}: expected ")
    assert "Invalid" not in problem, "says what is wrong instead of what was expected"
    assert "\n" not in problem
    assert len(problem) > len(f"TASKBEAM_{name}: expected ") + 3


def test_every_variable_that_can_be_bad_has_a_bad_value_here() -> None:
    assert {name for name, _ in BAD} == {variable.name for variable in VARIABLES}


def test_all_bad_values_are_named_at_once() -> None:
    environ = {f"TASKBEAM_{name}": text for name, text in BAD}
    named = [problem.partition(":")[0] for problem in _problems(environ)]
    assert named == [f"TASKBEAM_{variable.name}" for variable in VARIABLES]


def test_value_with_line_breaks_is_reported_on_one_line() -> None:
    [problem] = _problems({"TASKBEAM_WS_HOST": "a\nTASKBEAM_WS_PORT: expected nothing\r"})
    assert len(problem.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "text", "secret"),
    [
        ("SECRET_KEY", "hunter2", "hunter2"),
        ("SECRET_KEYS_OLD", "hunter2", "hunter2"),
        ("DATABASE_URL", "postgres://user:hunter2@host/db", "hunter2"),
        ("DATABASE_URL", "postgres://user:hun/ter2@host/db", "ter2"),
        ("DATABASE_URL", "postgresql://host:x/db?password=hunter2&sslmode=require", "hunter2"),
        ("EVENTS_URL", "amqp://:hunter2@host", "hunter2"),
        ("EVENTS_URL", "redis://host?password=hunter2", "hunter2"),
        ("EVENTS_URL", "unix://:hunter2@host/socket", "hunter2"),
    ],
)
def test_secrets_are_not_shown(name: str, text: str, secret: str) -> None:
    [problem] = _problems({f"TASKBEAM_{name}": text})
    assert secret not in problem


@pytest.mark.parametrize(
    "url",
    [
        *("redis://valkey", "rediss://:secret@valkey:6380/3", "rediss://valkey?ssl_ca_certs=/etc/ca.pem"),
        *("unix:///run/valkey", "unix://user:secret@/run/valkey"),
    ],
)
def test_fan_out_between_hosts_is_for_postgresql(url: str) -> None:
    on_postgresql = {"TASKBEAM_DATABASE_URL": "postgresql://db/tasks", "TASKBEAM_EVENTS_URL": url}
    assert load_settings(on_postgresql).events_url == url
    [problem] = _problems({"TASKBEAM_EVENTS_URL": url})
    assert problem.startswith("TASKBEAM_EVENTS_URL: ")
    assert "of one machine" in problem


@pytest.mark.parametrize("module", ["ws_server", "rest_gateway"])
def test_process_ends_with_status_2_and_a_line_for_each_bad_variable(module: str, tmp_path: Path) -> None:
    """Whosever variable it is: both processes check all."""
    bad = {
        "WS_PORT": "x",
        "REST_PORT": "y",
        "BCRYPT_ROUNDS": "99",
        "SECRET_KEY": "short",
        "LOG_LEVEL": "LOUD",
    }
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TASKBEAM_")}
    environ |= {f"TASKBEAM_{name}": value for name, value in bad.items()}
    environ["TASKBEAM_DATABASE_URL"] = f"sqlite:///{tmp_path}/taskbeam.db"
    ended = subprocess.run(
        [sys.executable, "-m", module],
        check=False,
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert ended.returncode == 2
    assert ended.stdout == ""
    lines = ended.stderr.splitlines()
    assert sorted(line.partition(":")[0] for line in lines) == sorted(f"TASKBEAM_{name}" for name in bad)
    assert list(tmp_path.iterdir()) == [], "nothing was begun"
