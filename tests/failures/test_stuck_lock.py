"""The write lock is held by somebody who does not let go: others say so in time, and recover by themselves.

``TASKBEAM_TEST_FULL=1``: with several writes waiting one behind the other, which takes 5 s more.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

import psutil

from tests.failures.audit import Audit
from tests.failures.ledger import Ledger
from tests.failures.writers import Pen, RestPen, Writer, WsPen
from tests.support.clients import Account, new_account
from tests.support.processes import Process, System, running
from tests.support.reconnecting_clients import Json, ReconnectingRest, ReconnectingSocket
from tests.support.restarts import is_connected_to, wait_listening
from tests.support.waiting import until, wait_until
from tests.support.write_lock import WriteLock, write_lock

_FULL: Final = os.environ.get("TASKBEAM_TEST_FULL", "") not in ("", "0")
_REFUSAL_SECONDS: Final = (
    12.0  # twice five for the lock, for one that came just after the first try had begun
)
_PROMPT_SECONDS: Final = 4.0
_STOPS_MAX: Final = 500
_NEW: Final[Json] = {"task": "One more"}

T = TypeVar("T")


async def in_time(seconds: float, answer: Awaitable[T]) -> T:
    async with asyncio.timeout(seconds):
        return await answer


async def test_lock_held_by_a_stranger(tmp_path: Path) -> None:
    with running(tmp_path) as system, write_lock(system) as lock:
        account = new_account(system)
        ws, rest = ReconnectingSocket(system, account.access), ReconnectingRest(system, account.access)
        task_id = (await ws.ask({"mode": "create", "data": _NEW}))["task_id"]
        socket = await ws.open()
        await until(lock.try_acquire, _PROMPT_SECONDS, "the lock is free")

        each = 3 if _FULL else 1  # those that come while the first one waits, wait for the next try
        refusals = asyncio.gather(
            *(_ws_refused(system, account) for _ in range(each)),
            *(_rest_refused(system, account) for _ in range(each)),
        )
        while not refusals.done():
            await _assert_reads(ws, rest, task_id)
            await asyncio.sleep(0.1)
        await refusals

        lock.release()
        assert (await in_time(_PROMPT_SECONDS, ws.ask({"mode": "create", "data": _NEW})))["seq"] == 2
        created = await in_time(_PROMPT_SECONDS, rest.ask("POST", "/", _NEW))
        assert created.status == 201
        assert (await ws.ask({"mode": "ping"}))["seq"] == 3  # and nothing of what was refused
        assert await ws.open() is socket
        await ws.close()
        await rest.close()


async def _ws_refused(system: System, account: Account) -> None:
    line = ReconnectingSocket(system, account.access)
    answer = await in_time(_REFUSAL_SECONDS, line.ask({"mode": "create", "data": _NEW}))
    assert answer.get("code") == "unavailable", answer
    assert (await line.ask({"mode": "ping"}))["type"] == "pong"  # it is still open
    await line.close()


async def _rest_refused(system: System, account: Account) -> None:
    line = ReconnectingRest(system, account.access)
    answer = await in_time(_REFUSAL_SECONDS, line.ask("POST", "/", _NEW))
    assert answer.status == 503, answer
    assert int(answer.headers["retry-after"]) > 0
    await line.close()


async def _assert_reads(ws: ReconnectingSocket, rest: ReconnectingRest, task_id: str) -> None:
    answer = await in_time(_PROMPT_SECONDS, ws.ask({"mode": "all"}))
    assert task_id in [task["uuid"] for task in answer["task"]]
    assert (await in_time(_PROMPT_SECONDS, rest.ask("GET", f"/task/{task_id}/"))).status == 200


async def test_worker_stopped_with_the_lock(tmp_path: Path) -> None:
    """SIGSTOP, as by a debugger or a frozen container: its own clients wait, all others are answered."""
    ledger = Ledger()
    with running(tmp_path, workers=2, MESSAGES_PER_SECOND="0") as system, write_lock(system) as lock:
        account = new_account(system)
        victim, other = system.ws_workers
        wait_listening(victim)
        wait_listening(other)
        theirs = [await _pen_on(victim, system, account) for _ in range(2)]
        ours: list[Pen] = [await _pen_on(other, system, account), RestPen(system, account)]
        pens: list[Pen] = [*theirs, *ours]
        writers = [
            Writer(pen, account.id, f"{number}", ledger, random.Random(number))
            for number, pen in enumerate(pens)
        ]
        readers: list[Pen] = [await _pen_on(other, system, account), RestPen(system, account)]
        audit = Audit(system.database, ledger)

        with _stopped(victim):  # while it does nothing
            for writer in writers[2:]:
                assert await in_time(_PROMPT_SECONDS, writer.create()) is not None

        async with asyncio.TaskGroup() as group:
            for writer in writers[:2]:
                group.create_task(writer.work(pause=0))
            await _stop_with_lock(victim, lock)
            with _continued(victim):
                told = len(ledger.told)
                refusals = asyncio.gather(*(in_time(_REFUSAL_SECONDS, w.create()) for w in writers[2:]))
                while not refusals.done():
                    for pen in readers:
                        await in_time(_PROMPT_SECONDS, _read(pen))
                    await asyncio.sleep(0.1)
                assert await refusals == [None, None]
                assert (ledger.unavailable, len(ledger.told)) == (2, told)
                await asyncio.to_thread(audit.check)
            for writer in writers[2:]:
                assert await in_time(_PROMPT_SECONDS, writer.create()) is not None
            told = len(ledger.told)
            await until(
                lambda: len(ledger.told) > told + 20, _PROMPT_SECONDS, "writes go on"
            )  # its own clients, too
            for writer in writers[:2]:
                writer.stopping = True

        audit.check()
        assert ledger.unavailable == 2
        assert not any(map(audit.took_effect, ledger.unknown)), "refused, and written"
        for pen in (*pens, *readers):
            assert await in_time(_PROMPT_SECONDS, _read(pen)) == audit.seqs[account.id]
            await pen.close()


async def _pen_on(process: Process, system: System, account: Account) -> WsPen:
    """A socket that this worker serves: the kernel spreads them, so a few are tried."""
    for _ in range(100):
        pen = WsPen(system, account)
        await pen.client.open()
        if is_connected_to(process, pen.client.local_port):
            return pen
        await pen.close()
    raise AssertionError("the kernel gives this worker no connection")


async def _read(pen: Pen) -> int:
    """The current seq."""
    if isinstance(pen, WsPen):
        seq: int = (await pen.client.ask({"mode": "all"}))["seq"]
        return seq
    assert isinstance(pen, RestPen)
    return int((await pen.client.ask("GET", "/")).headers["x-taskbeam-seq"])


@contextmanager
def _stopped(process: Process) -> Iterator[None]:
    _stop(process)
    with _continued(process):
        yield


@contextmanager
def _continued(process: Process) -> Iterator[None]:
    """A process that has been stopped goes on at the end."""
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)


def _stop(process: Process) -> None:
    os.kill(process.pid, signal.SIGSTOP)
    handle = psutil.Process(process.pid)
    wait_until(lambda: handle.status() == psutil.STATUS_STOPPED, _PROMPT_SECONDS, "stopped")


async def _stop_with_lock(process: Process, lock: WriteLock) -> None:
    """Stop a process that writes all the time until it is within a transaction; nobody else may be writing."""
    for _ in range(_STOPS_MAX):
        _stop(process)
        if not lock.try_acquire():
            return
        lock.release()
        os.kill(process.pid, signal.SIGCONT)
        await asyncio.sleep(random.uniform(0, 0.005))
    raise AssertionError("never caught within a transaction")
