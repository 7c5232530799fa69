"""Ten clients swap and read one task over both transports, while connections and processes are cut.

``TASKBEAM_TEST_FULL=1``: 10,000 operations. ``TASKBEAM_TEST_SEED``: repeat the choices of a run.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import time
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from tests.linearizability.checker import NotLinearizable, Operation, State, check
from tests.linearizability.clients import Register, RestRegister, WsRegister, state_of
from tests.support.clients import new_account
from tests.support.processes import System, running
from tests.support.reconnecting_clients import AnswerLost, Json
from tests.support.restarts import kill_and_start, wait_listening
from tests.support.waiting import until

FULL: Final = os.environ.get("TASKBEAM_TEST_FULL", "") not in ("", "0")
OPERATIONS: Final = 10_000 if FULL else 1500
SEED: Final = int(os.environ.get("TASKBEAM_TEST_SEED", str(secrets.randbelow(10**9))))
_CLIENTS: Final = 10
_CUT_SHARE: Final = 0.1  # of the operations: their connection is cut meanwhile
_CUT_SECONDS: Final = 0.006  # at most, after the call
_OPERATIONS_A_KILL: Final = 700
_PROGRESS_SECONDS: Final = 60.0


class Client:
    """Runs one operation after the other, and records it."""

    def __init__(
        self, name: int, register: Register, start: State, history: list[Operation], seed: int
    ) -> None:
        self._name = name
        self._register = register
        self._known = start
        self._history = history
        self._rng = random.Random(f"{seed} {name}")

    async def work(self) -> None:
        while len(self._history) < OPERATIONS:
            cut = None
            if self._rng.random() < _CUT_SHARE:
                delay = self._rng.uniform(0, _CUT_SECONDS)
                cut = asyncio.get_running_loop().call_later(delay, self._register.abort)
            await (self._swap() if self._rng.random() < 0.6 else self._read())
            if cut is not None:
                cut.cancel()

    async def _read(self) -> None:
        called = time.monotonic_ns()
        try:
            saw = await self._register.read()
        except AnswerLost:
            return  # no information
        self._record(Operation(called, time.monotonic_ns(), saw))

    async def _swap(self) -> None:
        rng = self._rng
        expected = self._known.rev - (rng.random() < 0.05)  # sometimes known to be old
        swap = Operation(0, None, None, expected)
        if rng.random() < 0.8:
            swap = swap._replace(description=f"{self._name}-{len(self._history)}")
        if swap.description is None or rng.random() < 0.5:
            swap = swap._replace(completed=rng.random() < 0.5)
        data: Json = {"description": swap.description, "completed": swap.completed}
        data = {key: value for key, value in data.items() if value is not None}
        swap = swap._replace(called=time.monotonic_ns())
        try:
            won, saw = await self._register.swap(expected, data)
        except AnswerLost:
            self._record(swap)
        else:
            self._record(swap._replace(returned=time.monotonic_ns(), saw=saw, won=won))

    def _record(self, operation: Operation) -> None:
        self._history.append(operation)
        self._known = operation.saw or self._known

    async def close(self) -> None:
        await self._register.close()


async def _kill_processes(system: System, history: list[Operation]) -> None:
    """Kill one process after the other."""
    for number in range(OPERATIONS // _OPERATIONS_A_KILL):
        wanted = (number + 0.5) * _OPERATIONS_A_KILL
        await until(partial(_has_grown_to, wanted, history), _PROGRESS_SECONDS, "more operations")
        process = system.processes[number % len(system.processes)]
        kill_and_start(process)
        await asyncio.to_thread(wait_listening, process)


def _has_grown_to(size: float, history: list[Operation]) -> bool:
    return len(history) >= size


@pytest.mark.timeout(600 if FULL else 120)
async def test_history_is_linearizable(tmp_path: Path) -> None:
    print(f"TASKBEAM_TEST_SEED={SEED}, {OPERATIONS} operations")
    history: list[Operation] = []
    with running(tmp_path, workers=2, MESSAGES_PER_SECOND="0") as system:
        account = new_account(system)
        task = account.rest("POST", "/", {"task": "The register", "description": "start"}).body
        start, task_id = state_of(task), task["uuid"]
        kinds: list[Any] = [WsRegister, RestRegister] * (_CLIENTS // 2)
        clients = [
            Client(name, kind(system, account, task_id), start, history, SEED)
            for name, kind in enumerate(kinds)
        ]
        started = time.monotonic()
        async with asyncio.TaskGroup() as group:
            group.create_task(_kill_processes(system, history))
            for client in clients:
                group.create_task(client.work())
        took = time.monotonic() - started
        called = time.monotonic_ns()
        last = state_of(account.rest("GET", f"/task/{task_id}/").body)
        history.append(Operation(called, time.monotonic_ns(), last))
        for client in clients:
            await client.close()

    done = check(start, history)
    swaps = [operation for operation in history if operation.expected is not None]
    won = sum(swap.won for swap in swaps)
    unknown = sum(swap.saw is None for swap in swaps)
    print(
        f"{len(history)} operations in {took:.1f} s: {len(history) - len(swaps)} reads, {len(swaps)} swaps, {won} "
        f"won, {len(swaps) - won - unknown} refused, {unknown} of unknown outcome, {done} of them done"
    )
    assert last.rev == start.rev + won + done
    assert min(won, unknown, len(swaps) - won - unknown) > 0
    _assert_damage_is_found(start, history)


def _assert_damage_is_found(start: State, history: list[Operation]) -> None:
    """Assert that the history does not pass with one false answer."""
    winner = next(operation for operation in history if operation.won)
    rival = winner._replace(description="rival", saw=winner.swapped(start)._replace(description="rival"))
    stale = history[-1]._replace(saw=start)
    for falsified in ([*history, rival], [*history[:-1], stale]):
        with pytest.raises(NotLinearizable):
            check(start, falsified)
