"""A few seconds of fuzzing, with a fixed seed. ``python -m tests.fuzz`` runs longer, with new seeds."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, islice
from pathlib import Path
from random import Random

from tests.fuzz import gateway, regressions, websocket_port
from tests.fuzz.harness import Conversation, ProcessCheck, generated, run_all
from tests.support.clients import new_account
from tests.support.processes import Process, System, running

_COUNT = 1500


async def test_websocket_port_survives_random_input(tmp_path: Path) -> None:
    with running(tmp_path) as system:
        await _fuzz(system, system.ws, websocket_port.conversation, regressions.WEBSOCKET_PORT)


async def test_gateway_survives_random_input(tmp_path: Path) -> None:
    with running(tmp_path) as system:
        await _fuzz(system, system.gateway, gateway.conversation, regressions.GATEWAY)


async def _fuzz(
    system: System,
    process: Process,
    make: Callable[[Random], bytes],
    regressions_first: tuple[Conversation, ...],
) -> None:
    token = new_account(system).access
    process_check = ProcessCheck(process, token)
    failures = await run_all(
        process, chain(regressions_first, islice(generated(1, make), _COUNT)), token, seconds=60
    )
    assert not failures, "\n".join(map(str, failures[:5]))
    process_check.run()
