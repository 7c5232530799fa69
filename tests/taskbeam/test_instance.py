"""Where the settings of an instance come from, and which of two counts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shared.postgres_url import parse_postgres_url
from taskbeam.errors import BadSettings
from taskbeam.instance import find_instance


def test_environment_counts_before_the_settings_file_and_that_before_the_default(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TASKBEAM_WS_PORT=1\nTASKBEAM_REST_PORT=2\nTASKBEAM_LOG_LEVEL=ERROR\n")
    environ = {"TASKBEAM_WS_PORT": "3", "TASKBEAM_LOG_LEVEL": "", "HOME": "/", "TASKBEAM_URL": "http://a/"}
    instance = find_instance(environ, tmp_path, None)
    settings = instance.settings
    assert (settings.ws_port, settings.rest_port, settings.log_level) == (3, 2, "ERROR")
    assert (settings.log_format, settings.allow_registration) == ("text", True)
    assert instance.environ["TASKBEAM_REST_PORT"] == "2"
    assert instance.environ["HOME"] == "/"
    assert instance.settings_file == tmp_path / ".env"


def test_named_file_is_read_instead_of_the_one_in_the_data_folder(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TASKBEAM_WS_PORT=1\nTASKBEAM_REST_PORT=2\n")
    (tmp_path / "other").write_text("TASKBEAM_REST_PORT=5\n")
    settings = find_instance({}, tmp_path, tmp_path / "other").settings
    assert (settings.ws_port, settings.rest_port) == (8000, 5)


def test_database_is_in_the_data_folder_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_instance({}, None, None).settings.database_url == f"sqlite:///{tmp_path}/var/taskbeam.db"
    odd = tmp_path / "a%20b"
    assert find_instance({}, odd, None).settings.database_url == f"sqlite:///{tmp_path}/a%2520b/taskbeam.db"
    given = {"TASKBEAM_DATABASE_URL": "sqlite:///here.db"}
    assert find_instance(given, odd, None).settings.database_url == "sqlite:///here.db"
    given = {"TASKBEAM_DATABASE_URL": "postgresql://db/tasks"}
    instance = find_instance(given, odd, None)
    assert parse_postgres_url(instance.settings.database_url).data == odd
    assert instance.environ["TASKBEAM_DATABASE_URL"] == instance.settings.database_url


@pytest.mark.parametrize(("given", "workers"), [({}, 1), ({"WORKERS": ""}, 1), ({"WORKERS": "4"}, 4)])
def test_workers(tmp_path: Path, given: dict[str, str], workers: int) -> None:
    assert find_instance(given, tmp_path, None).workers == workers


def test_everything_that_is_wrong_is_named_at_once(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("no setting\nTASKBEAM_ALLOW_REGISTRATON=false\nOTHER=1\n")
    environ = {"TASKBEAM_WS_PORT": "x", "WORKERS": "0", "TASKBEAM_LOG_FORMAT": "xml"}
    with pytest.raises(BadSettings) as refused:
        find_instance(environ, tmp_path, None)
    assert refused.value.problems == [
        f"{tmp_path}/.env:1: expected NAME=value",
        "TASKBEAM_ALLOW_REGISTRATON: no setting has this name; the nearest is TASKBEAM_ALLOW_REGISTRATION",
        "WORKERS: expected an integer from 1 to 9999, not '0'",
        "TASKBEAM_WS_PORT: expected an integer from 0 to 65535, not 'x'",
        "TASKBEAM_LOG_FORMAT: expected one of text, json, not 'xml'",
    ]


def test_a_data_folder_whose_name_cannot_be_one_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="must be UTF-8"):
        find_instance({}, tmp_path / os.fsdecode(b"\xff"), None)
    with pytest.raises(BadSettings, match="File name too long"):
        find_instance({}, tmp_path / ("x" * 300), None)
