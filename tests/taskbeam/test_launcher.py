"""When the launcher ends by itself, and how: with a supervisord and servers that only say so."""

from __future__ import annotations

import asyncio
import resource
import signal
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from shared.settings import ListenAddress
from taskbeam import launcher
from taskbeam.errors import CommandError
from taskbeam.launcher import STOP_SIGNALS, Launcher
from taskbeam.server_address import Server

_RELAY = ("sh", "-c", "cat >/dev/null")
_SERVER = Server(ListenAddress("REST", ("127.0.0.1",), 1, None), "http", "/")


class _Launcher(Launcher):
    """``program`` is a shell's, and stands for supervisord."""

    program = "exec sleep 60"

    def _command(self) -> list[str]:
        return ["sh", "-c", self.program]


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """A launcher leaves those that stop it ignored."""
    handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


async def _said(monkeypatch: pytest.MonkeyPatch, program: str, infos: Iterable[dict[str, Any]]) -> str:
    """Why it ended. ``infos``: what supervisord says of a process, each time that it is asked."""
    told = iter(infos)
    monkeypatch.setattr(launcher, "process_infos", lambda path: list(islice(told, 1)))
    monkeypatch.setattr(_Launcher, "program", program)
    with pytest.raises(CommandError) as failed:
        await _Launcher(Path("/nowhere/supervisord.conf"), (_SERVER,), {}, _RELAY).run()
    return failed.value.message


def _info(state: str, start: int = 0, **more: int) -> dict[str, Any]:
    return {"name": "rest_gateway", "statename": state, "pid": 0, "start": start} | more


@pytest.mark.parametrize(
    ("infos", "said"),
    [
        ([_info("EXITED", exitstatus=2)], "rest_gateway stopped over its settings; what it said is above"),
        ([_info("FATAL")], "rest_gateway was started too often in vain; what it said is above"),
        (
            [
                _info("BACKOFF", 1),
                _info("BACKOFF", 1),
                _info("STARTING", 2),
                _info("BACKOFF", 2),
                _info("BACKOFF", 3),
            ],
            "rest_gateway stops right after its start; what it said is above",
        ),
    ],
)
async def test_a_server_that_does_not_come_up(
    monkeypatch: pytest.MonkeyPatch, infos: list[dict[str, Any]], said: str
) -> None:
    assert await _said(monkeypatch, "exec sleep 60", infos) == said


async def test_servers_that_are_never_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "_READY_SECONDS", 0.0)
    assert await _said(monkeypatch, "exec sleep 60", ()) == "not ready after 0 seconds: http://127.0.0.1:1/"


async def test_a_supervisord_that_ends_takes_its_servers_along(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server = await asyncio.create_subprocess_exec("sleep", "60", process_group=0)
    seen = tmp_path / "seen"

    def infos() -> Iterator[dict[str, Any]]:
        yield _info("RUNNING", pid=server.pid)
        seen.touch()  # the launcher asks again: it knows the process
        while True:
            yield _info("RUNNING", pid=server.pid)

    said = await _said(monkeypatch, f"until [ -e {seen} ]; do sleep 0.05; done; exit 3", infos())
    assert said == "supervisord ended with status 3"
    assert await server.wait() == -signal.SIGTERM


async def test_a_supervisord_that_hangs_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """And whoever has inherited its output does not keep the launcher."""
    monkeypatch.setattr(launcher, "_STOP_SECONDS", 0.2)
    monkeypatch.setattr(launcher, "_RELAY_SECONDS", 0.2)
    program = "trap '' TERM; sleep 3 & exec 0<&-; while :; do sleep 0.1; done"
    assert (
        await _said(monkeypatch, program, [_info("RUNNING"), _info("RUNNING"), _info("FATAL")])
        == "rest_gateway was started too often in vain; what it said is above"
    )


def test_fewer_file_descriptors_than_supervisord_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (10, 100))
    command = Launcher(Path("/nowhere/supervisord.conf"), (_SERVER,), {}, _RELAY)._command()
    assert command[-2:] == ["--minfds", "100"]
