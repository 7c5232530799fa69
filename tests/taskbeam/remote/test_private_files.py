"""Files that cannot be read or written, and where they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from taskbeam.errors import CommandError
from taskbeam.remote.private_files import configuration_folder, locked, read_json, write_json


@pytest.mark.parametrize("given", [None, "", "relative"])
def test_the_folder_is_never_the_current_one(given: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    if given is None:
        monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    else:
        monkeypatch.setenv("XDG_CONFIG_HOME", given)
    assert configuration_folder() == Path("/home/ann/.config/taskbeam")


def test_the_folder_that_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/elsewhere")
    assert configuration_folder() == Path("/elsewhere/taskbeam")


def test_what_cannot_be_read_or_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    below = tmp_path / "file" / "below"
    with pytest.raises(CommandError, match="below: Not a directory"):
        read_json(below)
    with pytest.raises(CommandError, match="below: File exists"):
        write_json(below, {})
    with pytest.raises(CommandError, match="below: File exists"), locked(below):
        pass


def test_a_file_that_cannot_be_replaced_leaves_nothing_beside_it(tmp_path: Path) -> None:
    taken = tmp_path / "taken.json"
    taken.mkdir()
    with pytest.raises(CommandError, match="Is a directory"):
        write_json(taken, {})
    assert list(tmp_path.iterdir()) == [taken]
