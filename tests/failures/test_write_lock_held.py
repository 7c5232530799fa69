"""Another process does not release the write lock: writes are refused in time, and work again after its release.

``TASKBEAM_TEST_FULL=1``: with several writes that wait one after the other, which takes 5 s more.
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
from tests.failures.audited_database import audited_database
from tests.failures.ledger import Ledger
from tests.failures.writers import RestTransport, Transport, WebSocketTransport, Writer
from tests.support.clients import Account, new_account
from tests.support.processes import Process, System, running
from tests.support.reconnecting_clients import Json, ReconnectingRest, ReconnectingSocket
from tests.support.restarts import is_connected_to, wait_listening
from tests.support.waiting import until, wait_until
from tests.support.write_lock import WriteLock, write_lock

_FULL: Final = os.environ.get("TASKBEAM_TEST_FULL", "") not in ("", "0")
_REFUSAL_SECONDS: Final = (
    12.0  # two waits of five seconds, for a write that came just after the first had begun
)
_PROMPT_SECONDS: Final = 4.0
_STOPS_MAX: Final = 500
_NEW: Final[Json] = {"task": "One more"}

T = TypeVar("T")


async def in_time(seconds: float, answer: Awaitable[T]) -> T:
    async with asyncio.timeout(seconds):
        return await answer


async def test_lock_held_by_another_program(tmp_path: Path) -> None:
    with running(tmp_path) as system, write_lock(system) as lock:
        account = new_account(system)
        ws, rest = ReconnectingSocket(system, account.access), ReconnectingRest(system, account.access)
        task_id = (await ws.ask({"mode": "create", "data": _NEW}))["task_id"]
        socket = await ws.open()
        await until(lock.try_acquire, _PROMPT_SECONDS, "the lock is free")

        each = 3 if _FULL else 1  # writes that come while the first waits, wait for the next try
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
        assert (await ws.ask({"mode": "ping"}))["seq"] == 3  # nothing refused was written
        assert await ws.open() is socket
        await ws.close()
        await rest.close()


async def _ws_refused(system: System, account: Account) -> None:
    client = ReconnectingSocket(system, account.access)
    answer = await in_time(_REFUSAL_SECONDS, client.ask({"mode": "create", "data": _NEW}))
    assert answer.get("code") == "unavailable", answer
    assert (await client.ask({"mode": "ping"}))["type"] == "pong"  # it is still open
    await client.close()


async def _rest_refused(system: System, account: Account) -> None:
    client = ReconnectingRest(system, account.access)
    answer = await in_time(_REFUSAL_SECONDS, client.ask("POST", "/", _NEW))
    assert answer.status == 503, answer
    assert int(answer.headers["retry-after"]) > 0
    await client.close()


async def _assert_reads(ws: ReconnectingSocket, rest: ReconnectingRest, task_id: str) -> None:
    answer = await in_time(_PROMPT_SECONDS, ws.ask({"mode": "all"}))
    assert task_id in [task["uuid"] for task in answer["task"]]
    assert (await in_time(_PROMPT_SECONDS, rest.ask("GET", f"/task/{task_id}/"))).status == 200


async def test_worker_stopped_while_it_holds_the_lock(tmp_path: Path) -> None:
    """SIGSTOP, as by a debugger or a frozen container: its clients wait, all other clients are answered."""
    ledger = Ledger()
    with running(tmp_path, workers=2, MESSAGES_PER_SECOND="0") as system, write_lock(system) as lock:
        account = new_account(system)
        victim, other = system.ws_workers
        wait_listening(victim)
        wait_listening(other)
        victims_transports = [await _transport_on(victim, system, account) for _ in range(2)]
        other_transports: list[Transport] = [
            await _transport_on(other, system, account),
            RestTransport(system, account),
        ]
        transports: list[Transport] = [*victims_transports, *other_transports]
        writers = [
            Writer(transport, account.id, f"{number}", ledger, random.Random(number))
            for number, transport in enumerate(transports)
        ]
        readers: list[Transport] = [
            await _transport_on(other, system, account),
            RestTransport(system, account),
        ]
        audit = Audit(audited_database(system.database_url), ledger)

        with _stopped(victim):  # while it writes nothing
            for writer in writers[2:]:
                assert await in_time(_PROMPT_SECONDS, writer.create()) is not None

        async with asyncio.TaskGroup() as group:
            for writer in writers[:2]:
                group.create_task(writer.work(pause=0))
            await _stop_with_lock(victim, lock)
            with _continued(victim):
                for (
                    transport
                ) in readers:  # meanwhile the answers arrive that the worker sent before it was stopped
                    await in_time(_PROMPT_SECONDS, _read(transport))
                told = len(ledger.acknowledged)
                refusals = asyncio.gather(*(in_time(_REFUSAL_SECONDS, w.create()) for w in writers[2:]))
                while not refusals.done():
                    for transport in readers:
                        await in_time(_PROMPT_SECONDS, _read(transport))
                    await asyncio.sleep(0.1)
                assert await refusals == [None, None]
                assert (ledger.unavailable, len(ledger.acknowledged)) == (2, told)
                await asyncio.to_thread(audit.check)
            for writer in writers[2:]:
                assert await in_time(_PROMPT_SECONDS, writer.create()) is not None
            told = len(ledger.acknowledged)
            await until(
                lambda: len(ledger.acknowledged) > told + 20, _PROMPT_SECONDS, "writes go on"
            )  # those of the stopped worker, too
            for writer in writers[:2]:
                writer.stopping = True

        audit.check()
        assert ledger.unavailable == 2
        assert not any(map(audit.took_effect, ledger.unknown)), "refused, and written"
        for transport in (*transports, *readers):
            assert await in_time(_PROMPT_SECONDS, _read(transport)) == audit.seqs[account.id]
            await transport.close()


async def _transport_on(process: Process, system: System, account: Account) -> WebSocketTransport:
    """A socket served by this worker: connect until the kernel chooses it."""
    for _ in range(100):
        transport = WebSocketTransport(system, account)
        await transport.client.open()
        if is_connected_to(process, transport.client.local_port):
            return transport
        await transport.close()
    raise AssertionError("the kernel gives this worker no connection")


async def _read(transport: Transport) -> int:
    """The current seq."""
    if isinstance(transport, WebSocketTransport):
        seq: int = (await transport.client.ask({"mode": "all"}))["seq"]
        return seq
    assert isinstance(transport, RestTransport)
    return int((await transport.client.ask("GET", "/")).headers["x-taskbeam-seq"])


@contextmanager
def _stopped(process: Process) -> Iterator[None]:
    _stop(process)
    with _continued(process):
        yield


@contextmanager
def _continued(process: Process) -> Iterator[None]:
    """Continue a stopped process at the end."""
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)


def _stop(process: Process) -> None:
    os.kill(process.pid, signal.SIGSTOP)
    handle = psutil.Process(process.pid)
    wait_until(lambda: handle.status() == psutil.STATUS_STOPPED, _PROMPT_SECONDS, "stopped")


async def _stop_with_lock(process: Process, lock: WriteLock) -> None:
    """Stop a writing process while it is within a transaction; nobody else may write."""
    for _ in range(_STOPS_MAX):
        _stop(process)
        if not lock.try_acquire():
            return
        lock.release()
        os.kill(process.pid, signal.SIGCONT)
        await asyncio.sleep(random.uniform(0, 0.005))
    raise AssertionError("never caught within a transaction")
