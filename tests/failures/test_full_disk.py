"""A full disk: writes are refused whole and say so, reading goes on, and room is all it takes to go on."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.failures.audit import Audit
from tests.failures.disks import Disk, limited_disk, tmpfs_disk
from tests.failures.ledger import Ledger
from tests.failures.writers import RestPen, Writer, WsPen
from tests.support.clients import PASSWORD, Account, new_account
from tests.support.processes import System
from tests.support.reconnecting_clients import Json, ReconnectingRest, ReconnectingSocket
from tests.support.waiting import until

_RECOVERY_SECONDS: Final = 10.0  # without a write but the probes' own
_FILLING_MAX: Final = 2000  # writes, of each writer
_NEW: Final[Json] = {"task": "One more", "description": "x" * 9000}


@pytest.fixture(params=[limited_disk, tmpfs_disk])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    with request.param(tmp_path) as disk:
        yield disk


async def test_full_disk(disk: Disk) -> None:
    system, ledger = disk.system, Ledger()
    account = new_account(system)
    audit = Audit(system.database, ledger)
    pens = ws, rest = WsPen(system, account), RestPen(system, account)
    writers = [Writer(pen, account.id, pen.name, ledger, random.Random(7)) for pen in pens]
    task_id = await writers[0].create()
    assert task_id is not None
    crowd = [ReconnectingSocket(system, account.access) for _ in range(10)]
    sockets = [await line.open() for line in (ws.client, *crowd)]

    disk.squeeze()
    await asyncio.gather(*(_write_until_refused(writer, ledger) for writer in writers))
    disk.fill()
    await _use_up(rest.client, account)
    audit.check()
    assert not any(map(audit.took_effect, ledger.unknown)), "answered unavailable, and written"
    before = audit.changes.copy()

    for _ in range(2):  # the first refusal leaves nothing behind that the second trips over
        await _assert_ws_refuses(ws.client, task_id)
        await _assert_rest_refuses(rest.client, task_id, account)
    for answer in await asyncio.gather(*(line.ask({"mode": "create", "data": _NEW}) for line in crowd)):
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
    for line, socket in zip((ws.client, *crowd), sockets, strict=True):
        assert await line.open() is socket
        pong = await line.ask({"mode": "ping"})  # would be AnswerLost, had the socket been closed
        assert pong["seq"] == audit.seqs[account.id]
        await line.close()
    await rest.close()


async def _readiness(system: System) -> list[int]:
    """What the probes of both processes answer."""
    return [await asyncio.to_thread(process.readiness) for process in system.processes]


async def _write_until_refused(writer: Writer, ledger: Ledger) -> None:
    for _ in range(_FILLING_MAX):
        if ledger.unavailable:
            return
        await writer.step()
    raise AssertionError("the disk does not get full")


async def _use_up(line: ReconnectingRest, account: Account) -> None:
    """What was refused has left some room in the write-ahead log: a login is the smallest write of all."""
    login = {"username": account.username, "password": PASSWORD}
    for _ in range(_FILLING_MAX):
        if (await line.ask("POST", "/login/", login)).status == 503:
            return
    raise AssertionError("the disk does not get full")


async def _assert_ws_refuses(line: ReconnectingSocket, task_id: str) -> None:
    requests: list[Json] = [
        {"mode": "create", "data": _NEW},
        {"mode": "update", "task_id": task_id, "data": _NEW},
        {"mode": "delete", "task_id": task_id},
        {"mode": "batch", "ops": [{"mode": "create", "data": _NEW}, {"mode": "delete", "task_id": task_id}]},
    ]
    for request in requests:
        answer = await line.ask(request)
        assert (answer["type"], answer["code"]) == ("error", "unavailable"), answer
        assert answer["retry_after"] > 0


async def _assert_rest_refuses(line: ReconnectingRest, task_id: str, account: Account) -> None:
    requests: list[tuple[str, str, object]] = [
        ("POST", "/", _NEW),
        ("PATCH", f"/task/{task_id}/", _NEW),
        ("DELETE", f"/task/{task_id}/", None),
        ("POST", "/batch/", {"ops": [{"mode": "create", "data": _NEW}] * 3}),
        ("POST", "/register/", {"username": "latecomer", "password": PASSWORD}),
        ("POST", "/login/", {"username": account.username, "password": PASSWORD}),
    ]
    for request in requests:
        answer = await line.ask(*request)
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
