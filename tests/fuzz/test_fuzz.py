"""Strangers' bytes, a few seconds of them: the same each time. ``python -m tests.fuzz`` takes longer and others."""

from __future__ import annotations

from itertools import chain, islice
from pathlib import Path

from tests.fuzz import findings, websocket_port
from tests.fuzz.harness import Watch, hold, made
from tests.support.clients import new_account
from tests.support.processes import running

_COUNT = 1500


async def test_websocket_port(tmp_path: Path) -> None:
    with running(tmp_path) as system:
        token, watch = new_account(system).access, Watch(system.ws)
        new = islice(made(1, websocket_port.conversation), _COUNT)
        failures = await hold(system.ws, chain(findings.WEBSOCKET_PORT, new), token, seconds=60)
        watch.check()
    assert not failures, "\n".join(map(str, failures[:5]))
