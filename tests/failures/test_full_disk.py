"""A full disk: writes are refused entirely, reads go on, and writes work again once there is room."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.failures.audit import Audit
from tests.failures.audited_database import audited_database
from tests.failures.disks import Disk, limited_disk, tmpfs_disk
from tests.failures.ledger import Ledger
from tests.failures.writers import RestTransport, WebSocketTransport, Writer
from tests.support.clients import PASSWORD, Account, new_account
from tests.support.databases import require_sqlite
from tests.support.processes import System
from tests.support.reconnecting_clients import Json, ReconnectingRest, ReconnectingSocket
from tests.support.waiting import until

_RECOVERY_SECONDS: Final = 10.0  # the probes alone write meanwhile
_FILLING_MAX: Final = 2000  # writes, of each writer
_NEW: Final[Json] = {"task": "One more", "description": "x" * 9000}


@pytest.fixture(params=[limited_disk, tmpfs_disk])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    require_sqlite()
    with request.param(tmp_path) as disk:
        yield disk


async def test_full_disk_refuses_writes_until_there_is_room(disk: Disk) -> None:
    system, ledger = disk.system, Ledger()
    account = new_account(system)
    audit = Audit(audited_database(system.database_url), ledger)
    transports = ws, rest = WebSocketTransport(system, account), RestTransport(system, account)
    writers = [
        Writer(transport, account.id, transport.name, ledger, random.Random(7)) for transport in transports
    ]
    task_id = await writers[0].create()
    assert task_id is not None
    more = [ReconnectingSocket(system, account.access) for _ in range(10)]
    sockets = [await client.open() for client in (ws.client, *more)]

    disk.leave_little_room()
    await asyncio.gather(*(_write_until_refused(writer, ledger) for writer in writers))
    disk.fill()
    await _fill_write_ahead_log(rest.client, account)
    audit.check()
    assert not any(map(audit.took_effect, ledger.unknown)), "answered unavailable, and written"
    before = audit.changes.copy()

    for _ in range(2):  # the second refusal must work like the first
        await _assert_ws_refuses(ws.client, task_id)
        await _assert_rest_refuses(rest.client, task_id, account)
    for answer in await asyncio.gather(*(client.ask({"mode": "create", "data": _NEW}) for client in more)):
        assert answer.get("code") == "unavailable", answer
    await _assert_reading_goes_on(ws.client, rest.client, len(before))
    assert await _readiness(system) == [503, 503]
    audit.check()
    assert audit.changes == before

    disk.make_room()
    for process in system.processes:
        await until(lambda p=process: p.readiness() == 200, _RECOVERY_SECONDS, "ready again")  # type: ignore[misc]
    refused = ledger.unavailable
    for writer in writers:
        for _ in range(10):
            await writer.step()
    assert ledger.unavailable == refused, "refused although there is room"
    audit.check()
    assert len(audit.changes) >= len(before) + 20
    for client, socket in zip((ws.client, *more), sockets, strict=True):
        assert await client.open() is socket
        pong = await client.ask({"mode": "ping"})  # raises AnswerLost where the socket was closed
        assert pong["seq"] == audit.seqs[account.id]
        await client.close()
    await rest.close()


async def _readiness(system: System) -> list[int]:
    """The statuses of both processes' readiness probes."""
    return [await asyncio.to_thread(process.readiness) for process in system.processes]


async def _write_until_refused(writer: Writer, ledger: Ledger) -> None:
    for _ in range(_FILLING_MAX):
        if ledger.unavailable:
            return
        await writer.step()
    raise AssertionError("the disk does not get full")


async def _fill_write_ahead_log(client: ReconnectingRest, account: Account) -> None:
    """Refused writes leave some room in the write-ahead log. A login is the smallest write, so logins fill it."""
    login = {"username": account.username, "password": PASSWORD}
    for _ in range(_FILLING_MAX):
        if (await client.ask("POST", "/login/", login)).status == 503:
            return
    raise AssertionError("the disk does not get full")


async def _assert_ws_refuses(client: ReconnectingSocket, task_id: str) -> None:
    requests: list[Json] = [
        {"mode": "create", "data": _NEW},
        {"mode": "update", "task_id": task_id, "data": _NEW},
        {"mode": "delete", "task_id": task_id},
        {"mode": "batch", "ops": [{"mode": "create", "data": _NEW}, {"mode": "delete", "task_id": task_id}]},
    ]
    for request in requests:
        answer = await client.ask(request)
        assert (answer["type"], answer["code"]) == ("error", "unavailable"), answer
        assert answer["retry_after"] > 0


async def _assert_rest_refuses(client: ReconnectingRest, task_id: str, account: Account) -> None:
    requests: list[tuple[str, str, object]] = [
        ("POST", "/", _NEW),
        ("PATCH", f"/task/{task_id}/", _NEW),
        ("DELETE", f"/task/{task_id}/", None),
        ("POST", "/batch/", {"ops": [{"mode": "create", "data": _NEW}] * 3}),
        ("POST", "/register/", {"username": "latecomer", "password": PASSWORD}),
        ("POST", "/login/", {"username": account.username, "password": PASSWORD}),
    ]
    for request in requests:
        answer = await client.ask(*request)
        assert answer.status == 503, (request, answer)
        assert list(answer.body) == ["detail"]
        assert int(answer.headers["retry-after"]) > 0


async def _assert_reading_goes_on(ws: ReconnectingSocket, rest: ReconnectingRest, seq: int) -> None:
    everything = await ws.ask({"mode": "all"})
    assert everything["seq"] == seq
    for task in everything["task"]:
        assert (await ws.ask({"mode": "read", "task_id": task["uuid"]}))["task"] == task
        assert (await rest.ask("GET", f"/task/{task['uuid']}/")).body == task
    assert (await rest.ask("GET", "/")).body == everything["task"]
    epoch = (await rest.ask("GET", "/")).headers["x-taskbeam-epoch"]
    assert (await ws.ask({"mode": "sync", "epoch": epoch, "since": seq}))["changes"] == []
    assert (await rest.ask("GET", f"/changes/?epoch={epoch}&since={seq - 1}")).body["seq"] == seq
