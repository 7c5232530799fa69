"""WakeSocket-up datagrams: delivered when they can be, and harmless when they cannot."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NoReturn

import pytest

from shared.feed import wake
from shared.feed.wake import WakeSocket, open_wake
from tests.support.processes import ROOT


class Sleeper:
    """Somebody who can be woken."""

    def __init__(self) -> None:
        self.calls = 0
        self.woken = asyncio.Event()

    def __call__(self) -> None:
        self.calls += 1
        self.woken.set()

    async def wait(self) -> None:
        await asyncio.wait_for(self.woken.wait(), 5)
        self.woken.clear()


async def test_call_wakes_all_others_and_not_the_caller(tmp_path: Path) -> None:
    sleepers = [Sleeper() for _ in range(3)]
    folder = tmp_path / "wake"
    async with (
        open_wake(folder, "test", sleepers[0]) as caller,
        open_wake(folder, "test", sleepers[1]) as other,
    ):
        async with open_wake(folder, "test", sleepers[2]):
            caller.wake_others()
            await asyncio.gather(*(sleeper.wait() for sleeper in sleepers[1:]))
        assert sleepers[0].calls == 0
        other.wake_others()
        await sleepers[0].wait()


async def test_many_calls_are_one_waking(tmp_path: Path) -> None:
    sleeper = Sleeper()
    async with (
        open_wake(tmp_path / "wake", "test", sleeper),
        open_wake(tmp_path / "wake", "test", Sleeper()) as caller,
    ):
        for _ in range(5):
            caller.wake_others()
        await sleeper.wait()
        await asyncio.sleep(0)
        assert sleeper.calls == 1


async def test_calls_that_are_not_taken_wait(tmp_path: Path) -> None:
    sleeper = Sleeper()
    async with (
        open_wake(tmp_path / "wake", "test", sleeper) as sleeping,
        open_wake(tmp_path / "wake", "test", Sleeper()) as caller,
    ):
        sleeping.receive(False)
        for _ in range(100):
            caller.wake_others()
            await asyncio.sleep(0)
        assert sleeper.calls == 0
        sleeping.receive(True)
        await sleeper.wait()
        assert sleeper.calls == 1
        caller.wake_others()
        await sleeper.wait()


async def test_those_who_take_no_calls_keep_nobody_elses_away(tmp_path: Path) -> None:
    """What lies unread is charged to its sender's socket, which has room for a few hundred calls."""
    folder, sleeper = tmp_path / "wake", Sleeper()
    async with AsyncExitStack() as stack:
        caller = await stack.enter_async_context(open_wake(folder, "test", Sleeper()))
        for _ in range(40):
            sleeping = await stack.enter_async_context(open_wake(folder, "test", Sleeper()))
            sleeping.receive(False)
        await stack.enter_async_context(open_wake(folder, "test", sleeper))
        for _ in range(600):
            caller.wake_others()
            await sleeper.wait()
    assert sleeper.calls == 600
    assert os.listdir(folder) == []


async def test_caller_that_may_open_no_more_files_calls_those_it_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, known, newcomer = tmp_path / "wake", Sleeper(), Sleeper()
    monkeypatch.setattr(wake, "_LISTING_SECONDS", 0.0)
    async with open_wake(folder, "test", Sleeper()) as caller, open_wake(folder, "test", known):
        caller.wake_others()
        await known.wait()
        async with open_wake(folder, "test", newcomer):
            with monkeypatch.context() as patched:
                patched.setattr(wake, "_datagram_socket", _no_more_files)
                caller.wake_others()
                await known.wait()
            assert newcomer.calls == 0
            caller.wake_others()
            await newcomer.wait()


def _no_more_files() -> NoReturn:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


async def test_full_queue_blocks_no_caller(tmp_path: Path) -> None:
    """The sleeper does not read, as a process that is stopped."""
    sleeper = Sleeper()
    sleeping = WakeSocket(tmp_path / "wake", "test", sleeper)
    async with open_wake(tmp_path / "wake", "test", Sleeper()) as caller:
        began = time.monotonic()
        for _ in range(10_000):
            caller.wake_others()
        assert time.monotonic() - began < 5
        sleeping.read()
        assert sleeper.calls == 1
        caller.wake_others()
        sleeping.read()
        assert sleeper.calls == 2, "it is still called"
    sleeping.close()


async def test_socket_of_a_dead_process_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "wake"
    program = (
        "import os, signal, sys; from pathlib import Path; from shared.feed.wake import WakeSocket;"
        "WakeSocket(Path(sys.argv[1]), 'test', print); os.kill(os.getpid(), signal.SIGKILL)"
    )
    await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program, str(folder)], cwd=ROOT, check=False, timeout=30
    )
    [dead] = os.listdir(folder)
    sleeper = Sleeper()
    async with open_wake(folder, "test", sleeper), open_wake(folder, "test", Sleeper()) as caller:
        caller.wake_others()
        await sleeper.wait()
        assert dead not in os.listdir(folder)
        caller.wake_others()
        await sleeper.wait()


async def test_a_client_that_disconnects_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "wake"
    async with open_wake(folder, "test", Sleeper()) as caller:
        async with open_wake(folder, "test", Sleeper()):
            caller.wake_others()
            assert len(os.listdir(folder)) == 2
        caller.wake_others()
        assert len(os.listdir(folder)) == 1
    assert os.listdir(folder) == []


async def test_a_new_process_is_called_soon(tmp_path: Path) -> None:
    async with open_wake(tmp_path / "wake", "test", Sleeper()) as caller:
        caller.wake_others()
        newcomer = Sleeper()
        async with open_wake(tmp_path / "wake", "test", newcomer), asyncio.timeout(5):
            while not newcomer.calls:
                caller.wake_others()
                await asyncio.sleep(0.01)


async def test_paths_longer_than_a_sockets_address_work(tmp_path: Path) -> None:
    parent = tmp_path / ("d" * 100) / ("e" * 100)
    os.makedirs(parent)
    sleeper = Sleeper()
    async with (
        open_wake(parent / "wake", "test", sleeper),
        open_wake(parent / "wake", "test", Sleeper()) as caller,
    ):
        caller.wake_others()
        await sleeper.wait()


async def test_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        async with open_wake(tmp_path / "wake", "test", Sleeper()):
            assert stat.S_IMODE(os.stat(tmp_path / "wake").st_mode) == 0o700
    finally:
        os.umask(before)


async def test_what_else_lies_in_the_folder_does_no_harm(tmp_path: Path) -> None:
    folder = tmp_path / "wake"
    sleeper = Sleeper()
    async with open_wake(folder, "test", sleeper), open_wake(folder, "test", Sleeper()) as caller:
        (folder / "notes.txt").write_text("not a socket")
        os.mkdir(folder / "more")
        caller.wake_others()
        await sleeper.wait()


async def test_folder_that_was_removed_does_no_harm(tmp_path: Path) -> None:
    folder = tmp_path / "wake"
    async with open_wake(folder, "test", Sleeper()) as caller:
        for name in os.listdir(folder):
            os.unlink(folder / name)
        os.rmdir(folder)
        caller.wake_others()


def _remove_folder(folder: Path) -> None:
    shutil.rmtree(folder)


def _empty_folder(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


def _move_folder(folder: Path) -> None:
    folder.rename(folder.with_name("away"))


def _put_another_folder(folder: Path) -> None:
    _move_folder(folder)
    folder.mkdir()


@pytest.mark.parametrize("deed", [_remove_folder, _empty_folder, _move_folder, _put_another_folder])
async def test_folder_that_was_deleted_is_made_again_and_calls_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deed: Callable[[Path], None]
) -> None:
    monkeypatch.setattr(wake, "_RESTORE_SECONDS", 0)
    folder, sleeper = tmp_path / "wake", Sleeper()
    async with (
        open_wake(folder, "test", sleeper) as sleeping,
        open_wake(folder, "test", Sleeper()) as caller,
    ):
        for _ in range(2):
            caller.wake_others()
            await sleeper.wait()
            deed(folder)
            shutil.rmtree(folder.with_name("away"), ignore_errors=True)
            for one in (caller, sleeping):
                one.restore()
            caller.wake_others()
            await sleeper.wait()
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700 or deed is _put_another_folder
        assert len(list(folder.iterdir())) == 2
    assert list(folder.iterdir()) == []


async def test_folder_that_cannot_be_made_again_is_tried_for_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wake, "_RESTORE_SECONDS", 0)
    folder, sleeper = tmp_path / "wake", Sleeper()
    async with (
        open_wake(folder, "test", sleeper) as sleeping,
        open_wake(folder, "test", Sleeper()) as caller,
    ):
        shutil.rmtree(folder)
        folder.write_text("in the way")
        descriptors = len(os.listdir("/dev/fd"))
        for _ in range(3):
            caller.restore()
            sleeping.restore()
            caller.wake_others()
        assert len(os.listdir("/dev/fd")) == descriptors
        folder.unlink()
        sleeping.restore()
        caller.restore()
        caller.wake_others()
        await sleeper.wait()
