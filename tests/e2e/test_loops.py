"""The event loop is uvloop where it is installed, and asyncio's own otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.clients import connected, new_account
from tests.support.event_loops import runs_on_uvloop, without_uvloop
from tests.support.frames import create
from tests.support.processes import running


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
async def test_both_loops_serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loop: str) -> None:
    monkeypatch.delenv("TASKBEAM_TEST_LOOP", raising=False)
    for name, value in without_uvloop(tmp_path).items() if loop == "asyncio" else ():
        monkeypatch.setenv(name, value)
    with running(tmp_path) as system:
        assert {runs_on_uvloop(process.pid) for process in system.processes} == {loop == "uvloop"}
        account = new_account(system)
        async with connected(system, account.access) as socket:
            await create(socket)
        assert len(account.rest("GET", "/").body) == 1
