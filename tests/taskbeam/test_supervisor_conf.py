"""The copy of supervisord.conf in a data folder."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from taskbeam.supervisor_conf import for_instance, shipped, write_for_instance
from tests.support.processes import ROOT


def test_checkout_has_the_file_at_its_top() -> None:
    assert shipped() == ROOT / "supervisord.conf"


def test_nothing_of_the_copy_is_in_a_checkout(tmp_path: Path) -> None:
    path = write_for_instance(tmp_path)
    path.chmod(0o644)
    assert write_for_instance(tmp_path) == path == tmp_path / "supervisord.conf"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    settings = [line for line in path.read_text().splitlines() if not line.startswith(";")]
    assert not [line for line in settings if ".venv" in line or "/var/" in line]
    assert "serverurl=unix://%(here)s/supervisor.sock" in settings
    assert 'command="%(ENV_SERVE_PYTHON)s" -m ws_server' in settings


def test_file_without_a_place_for_the_data_folder_is_an_error() -> None:
    with pytest.raises(ValueError, match="has no"):
        for_instance("[supervisord]\n")
