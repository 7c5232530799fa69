"""What is refused before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from taskbeam.instance import find_instance
from taskbeam.start_checks import start_problems


def _problems(data: Path, **settings: str) -> list[str]:
    environ = {f"TASKBEAM_{name}": value for name, value in settings.items()}
    return list(start_problems(find_instance(environ, data, None)))


def test_default_settings_are_fine(tmp_path: Path) -> None:
    assert _problems(tmp_path) == []


@pytest.mark.parametrize(
    "hosts", [{}, {"WS_HOST": "0.0.0.0"}, {"REST_HOST": "::"}, {"WS_HOST": "127.0.0.2,127.0.0.1"}]
)
def test_servers_on_one_port_are_refused(tmp_path: Path, hosts: dict[str, str]) -> None:
    problem = "TASKBEAM_WS_PORT and TASKBEAM_REST_PORT are both 9000: give each server its own"
    assert _problems(tmp_path, WS_PORT="9000", REST_PORT="9000", **hosts) == [problem]


def test_servers_of_different_hosts_may_have_one_port(tmp_path: Path) -> None:
    assert _problems(tmp_path, WS_PORT="9000", REST_PORT="9000", REST_HOST="127.0.0.2") == []


def test_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "taskbeam.db.key"
    key.touch(0o640)
    key.chmod(0o640)
    [problem] = _problems(tmp_path)
    assert problem.startswith(
        f"{key} is open to other users (mode 0640), and whoever reads it can forge tokens"
    )
    assert _problems(tmp_path, SECRET_KEY="k" * 32) == []
    key.chmod(0o600)
    assert _problems(tmp_path) == []


def test_settings_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.touch()
    file.chmod(0o604)
    [problem] = _problems(tmp_path)
    assert problem.startswith(f"{file} is open to other users (mode 0604)")
    file.chmod(0o600)
    assert _problems(tmp_path) == []


def test_what_a_supervised_server_cannot_do_is_refused(tmp_path: Path) -> None:
    [descriptor, port, host] = _problems(tmp_path, WS_FD="3", REST_PORT="0", REST_HOST="-")
    assert descriptor.startswith("TASKBEAM_WS_FD: ")
    assert port == "TASKBEAM_REST_PORT: expected a port from 1 to 65535, not '0'"
    assert host.startswith("TASKBEAM_REST_HOST: -: ")
