"""The key's file: made once, by whichever process comes first."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from shared.auth import key_file
from shared.auth.key_file import KeyFile, fingerprint, read_keys, rotate_keys
from shared.errors import Unavailable
from tests.support.processes import ROOT

PROGRAM = """
import asyncio, sys
from pathlib import Path
from shared.auth.key_file import KeyFile
file = KeyFile(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
asyncio.run(file.open(expected=False))
print(file.keys[0])
"""


def load_or_make_key(path: Path) -> str:
    return opened(path).keys[0]


def opened(path: Path) -> KeyFile:
    file = KeyFile(path)
    asyncio.run(file.open(expected=False))
    return file


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


def test_file_that_was_deleted_is_put_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "key"
    file = opened(path)
    for _ in range(2):
        file.check()
        path.unlink()
        file.check()
        assert path.read_text() == file.keys[0]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert caplog.text.count("was deleted, and is put back") == 2
    assert file.keys[0] not in caplog.text
    assert list(tmp_path.iterdir()) == [path]


def test_another_key_in_the_file_ends_the_process(tmp_path: Path) -> None:
    path = tmp_path / "key"
    file = opened(path)
    file.check()
    path.unlink()
    other = opened(path)
    assert other.keys[0] != file.keys[0]
    with pytest.raises(Unavailable) as ended:
        file.check()
    assert str(path) in ended.value.reason
    assert other.keys[0] not in ended.value.reason
    other.check()


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 50])
def test_damaged_file_is_logged_once_and_not_changed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    path = tmp_path / "key"
    file = opened(path)
    path.write_bytes(content)
    for _ in range(3):
        file.check()
    assert caplog.text.count("cannot be read any more") == 1
    assert path.read_bytes() == content


def test_touched_and_rewritten_file_with_the_same_key_is_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "key"
    file = opened(path)
    for content in (file.keys[0], file.keys[0] + "\n"):
        path.unlink()
        path.write_text(content)
        file.check()
    assert caplog.text == ""


def test_folder_that_is_gone_ends_nothing(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "key"
    path.parent.mkdir()
    file = opened(path)
    path.unlink()
    path.parent.rmdir()
    file.check()


async def test_who_expects_a_key_waits_for_whoever_puts_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_file, "_WAIT_SECONDS", 10)
    running = KeyFile(tmp_path / "key")
    await running.open(expected=False)
    running.path.unlink()
    starting = KeyFile(running.path)
    opening = asyncio.create_task(starting.open(expected=True))
    await asyncio.sleep(0)
    running.check()
    await opening
    assert (starting.keys, starting.was_made) == (running.keys, False)


async def test_a_process_whose_wait_times_out_makes_another_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_file, "_WAIT_SECONDS", 0.05)
    file = KeyFile(tmp_path / "key")
    await file.open(expected=True)
    assert file.was_made


def test_fingerprints_tell_keys_apart_and_do_not_hold_them() -> None:
    keys = ["a" * 40, "b" * 40]
    assert len({fingerprint(key) for key in keys}) == 2
    assert not any(key[:4] in fingerprint(key) for key in ["zzzz" * 10])


def test_former_keys_follow_on_lines_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(f"{'a' * 40}\n{'b' * 40}\n\n")
    assert read_keys(path) == ("a" * 40, "b" * 40)
    path.write_text(f"{'a' * 40}\nshort\n")
    with pytest.raises(ValueError, match="32"):
        read_keys(path)


def test_rotated_keys_keep_the_newest_former_ones(tmp_path: Path) -> None:
    file = opened(tmp_path / "key")
    (first,) = file.keys
    rotate_keys(file.path, keep_former=True)
    second, *former = read_keys(file.path)
    assert former == [first] != [second]
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    for _ in range(3):
        rotate_keys(file.path, keep_former=True)
    assert read_keys(file.path)[-1] == second
    rotate_keys(file.path, keep_former=False)
    assert len(read_keys(file.path)) == 1
    assert list(tmp_path.iterdir()) == [file.path]


def test_a_process_with_the_former_key_ends_after_a_rotation(tmp_path: Path) -> None:
    file = opened(tmp_path / "key")
    rotate_keys(file.path, keep_former=True)
    with pytest.raises(Unavailable) as ended:
        file.check()
    assert "holds another key now" in ended.value.reason


def test_a_deleted_file_is_put_back_with_its_former_keys(tmp_path: Path) -> None:
    file = opened(tmp_path / "key")
    rotate_keys(file.path, keep_former=True)
    later = opened(file.path)
    file.path.unlink()
    later.check()
    assert read_keys(file.path) == later.keys
