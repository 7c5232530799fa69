"""SIGTERM under load: requests in progress are answered, no write is done without an answer, within 12 s."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from pathlib import Path
from typing import Final

import pytest

from tests.failures.audit import Audit
from tests.failures.audited_database import audited_database
from tests.failures.ledger import Ledger
from tests.failures.writers import writing
from tests.support.clients import Account, new_account
from tests.support.processes import Process, System, running
from tests.support.raw_websocket import RawSocket
from tests.support.reconnecting_clients import ReconnectingRest, ReconnectingSocket
from tests.support.restarts import wait_listening
from tests.support.waiting import until

_STOP_SECONDS: Final = 12.0
_PROMPT_SECONDS: Final = 5.0
_RESTARTS: Final = 1012
_WAITERS: Final = 5


@pytest.mark.parametrize("uvloop", [True, False], ids=["uvloop", "asyncio"])
async def test_stop_under_load(tmp_path: Path, uvloop: bool) -> None:
    ledger = Ledger()
    with running(tmp_path, workers=2, uvloop=uvloop, MESSAGES_PER_SECOND="0") as system:
        for process in system.processes:
            wait_listening(process)
        audit = Audit(audited_database(system.database_url), ledger)
        busy, quiet = [new_account(system) for _ in range(2)], new_account(system)
        async with writing(system, busy, ledger, seed=1, pause=0) as writers:
            for writer in writers:
                writer.reconnects = False
            stalled = _stalled_clients(system, busy[0])
            async with asyncio.TaskGroup() as group:
                waiting = await _waiting_clients(system, quiet, group)
                count = len(ledger.acknowledged)
                await until(lambda: len(ledger.acknowledged) > count + 200, _STOP_SECONDS, "writes go on")
                stops = [group.create_task(_stop(process)) for process in system.processes]
                await asyncio.wait_for(asyncio.gather(*waiting), _PROMPT_SECONDS)
        took = ", ".join(f"{stop.result():.1f} s" for stop in stops)
        codes = {writer.close_code for writer in writers[::2]}
        for client in stalled:
            client.close()
    audit.check()
    done = list(filter(audit.took_effect, ledger.unknown))
    print(
        f"gateway and workers stopped within {took}; {len(ledger.acknowledged)} acknowledged, {len(ledger.unknown)} unanswered"
    )
    assert codes == {_RESTARTS}
    assert done == [], "written, and not answered"
    assert len(audit.changes) == len(ledger.acknowledged)


async def _stop(process: Process) -> float:
    """The seconds that the stop took."""
    assert process.popen is not None
    started = time.monotonic()
    process.popen.send_signal(signal.SIGTERM)
    status = await asyncio.to_thread(process.popen.wait, _STOP_SECONDS)
    assert status == 0, process.log.read_text()
    return time.monotonic() - started


async def _waiting_clients(
    system: System, account: Account, group: asyncio.TaskGroup
) -> list[asyncio.Task[None]]:
    """Idle sockets, long polls and event streams: a stop ends all of them at once."""
    epoch = account.rest("GET", "/").headers["X-Taskbeam-Epoch"]
    tasks = []
    for _ in range(_WAITERS):
        client = ReconnectingSocket(system, account.access)
        await client.open()
        tasks.append(group.create_task(_idle(client)))
        tasks.append(group.create_task(_long_poll(ReconnectingRest(system, account.access), epoch)))
        reader, writer = await asyncio.open_connection("127.0.0.1", system.gateway.port)
        writer.write(_events_request(account))
        await reader.readuntil(b"\r\n\r\n")
        tasks.append(group.create_task(_event_stream(reader, writer)))
    return tasks


async def _idle(client: ReconnectingSocket) -> None:
    socket = await client.open()
    await socket.wait_closed()
    assert socket.close_code == _RESTARTS


async def _long_poll(client: ReconnectingRest, epoch: str) -> None:
    answer = await client.ask("GET", f"/changes/?epoch={epoch}&since=0&wait=30")
    assert (answer.status, answer.body["changes"]) == (200, [])
    await client.close()


def _events_request(account: Account) -> bytes:
    return (
        f"GET /events/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {account.access}\r\n\r\n".encode()
    )


async def _event_stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    rest = await reader.read()  # to the end
    assert rest.endswith(b"0\r\n\r\n"), rest[-100:]
    writer.close()


def _stalled_clients(system: System, account: Account) -> list[socket.socket]:
    """Clients that never read and never answer, and so would delay the stop."""
    slow = RawSocket(system, receive_buffer=4096)
    slow.handshake()
    slow.send_json({"type": "auth", "token": account.access})
    mute, silent, half = RawSocket(system), RawSocket(system), RawSocket(system)
    mute.handshake()
    half.send(b"GET /ws/tasks/ HTTP/1.1\r\nHost: loc")
    head = b"POST /login/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n"
    to_gateway = [socket.create_connection(("127.0.0.1", system.gateway.port)) for _ in range(4)]
    for client, data in zip(to_gateway, (_events_request(account), head + b"\r\n{", head, b""), strict=True):
        client.sendall(data)
    return [raw.socket for raw in (slow, mute, silent, half)] + to_gateway
