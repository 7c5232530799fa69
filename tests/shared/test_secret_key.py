"""The key's file: made once, by whichever process comes first."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from shared.tokens import load_or_make_key
from tests.support.processes import ROOT

PROGRAM = """
import sys
from pathlib import Path
from shared.tokens import load_or_make_key
print("ready", flush=True)
sys.stdin.readline()
print(load_or_make_key(Path(sys.argv[1])))
"""


def test_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "taskbeam.db.key"
    key = load_or_make_key(path)
    assert len(key.encode()) >= 32
    assert load_or_make_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path], "nothing else is left behind"


def test_two_keys_differ(tmp_path: Path) -> None:
    assert load_or_make_key(tmp_path / "a") != load_or_make_key(tmp_path / "b")


def test_process_that_comes_second_takes_the_key_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one is done between our look and our writing."""
    path = tmp_path / "key"
    fsync = os.fsync

    def fsync_late(descriptor: int) -> None:
        fsync(descriptor)
        path.write_text("the other process's key, of 32 bytes or more")

    monkeypatch.setattr(os, "fsync", fsync_late)
    assert load_or_make_key(path) == "the other process's key, of 32 bytes or more"
    assert list(tmp_path.iterdir()) == [path]


def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    path = tmp_path / "taskbeam.db.key"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(path)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        keys = {process.communicate(timeout=30)[0] for process in processes}
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert keys == {path.read_text() + "\n"}
    assert list(tmp_path.iterdir()) == [path]


def test_key_made_by_an_operator_is_taken_without_its_line_break(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("k" * 40 + "\n")
    assert load_or_make_key(path) == "k" * 40


@pytest.mark.parametrize(
    "content",
    ["", "short", "k" * 31 + "\n", " " * 100, "k" * 40 + " \n", "\n" + "k" * 40, "ssh-rsa " + "k" * 40],
)
def test_file_without_a_key_is_refused_and_left_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "key"
    path.write_text(content)
    with pytest.raises(ValueError, match="32"):
        load_or_make_key(path)
    assert path.read_text() == content


def test_file_of_bytes_that_are_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"\xff" * 64)
    with pytest.raises(ValueError, match=r"\S"):
        load_or_make_key(path)


def test_missing_folder_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="missing"):
        load_or_make_key(tmp_path / "missing" / "key")
