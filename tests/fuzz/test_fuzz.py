"""Strangers' bytes, a few seconds of them: the same each time. ``python -m tests.fuzz`` takes longer and others."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, islice
from pathlib import Path
from random import Random

from tests.fuzz import findings, gateway, websocket_port
from tests.fuzz.harness import Conversation, Watch, hold, made
from tests.support.clients import new_account
from tests.support.processes import Process, System, running

_COUNT = 1500


async def test_websocket_port(tmp_path: Path) -> None:
    with running(tmp_path) as system:
        await _fuzz(system, system.ws, websocket_port.conversation, findings.WEBSOCKET_PORT)


async def test_gateway(tmp_path: Path) -> None:
    with running(tmp_path) as system:
        await _fuzz(system, system.gateway, gateway.conversation, findings.GATEWAY)


async def _fuzz(
    system: System,
    process: Process,
    make: Callable[[Random], bytes],
    kept: tuple[Conversation, ...],
) -> None:
    token = new_account(system).access
    watch = Watch(process, token)
    failures = await hold(process, chain(kept, islice(made(1, make), _COUNT)), token, seconds=60)
    assert not failures, "\n".join(map(str, failures[:5]))
    watch.check()
