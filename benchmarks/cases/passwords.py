"""Reads on 64 connections while eight clients log in without pause, compared with reads alone. Both processes share a core.
Then a number of logins, compared with as many bare bcrypt checks of the same cost on as many threads: the time until
all are done."""

from __future__ import annotations

import asyncio
import json
import sys
from time import perf_counter
from typing import Final

from benchmarks.cases import Effort
from benchmarks.cases.rest import OK
from benchmarks.cases.websocket import read
from benchmarks.closed_loop import ClosedLoop, UnexpectedAnswer, Window
from benchmarks.figures import Spread, ratios
from benchmarks.http_load import HttpClient, connect, request
from benchmarks.machine import on_cores
from benchmarks.report import number, rate_table
from benchmarks.results import Findings, Table
from benchmarks.seed import PASSWORD, PASSWORD_ROUNDS, USER, add_tasks, add_users, open_store
from benchmarks.servers import ROOT, ServerFailed, access_tokens, data_folder, settings_of, system
from benchmarks.websocket_load import Client, connect_all, uuids

_CONNECTIONS: Final = 64
_TASKS: Final = 5
_CLIENTS: Final = 8
_LOGINS: Final = 16  # of one round
_LOGIN: Final = request("POST", "/login/", body=json.dumps({"username": USER, "password": PASSWORD}).encode())


async def measure(effort: Effort) -> Findings:
    quiet: list[Window] = []
    busy: list[Window] = []
    bare: list[float] = []
    logins: list[float] = []
    with data_folder() as folder:
        async with open_store(settings_of(folder)) as store:
            await add_users(store, _CONNECTIONS)
            await add_tasks(store, range(1, _CONNECTIONS + 1), _TASKS)
        with system(folder, effort.cores) as ours:
            clients = await connect_all(ours.ws_url, access_tokens(_CONNECTIONS))
            for client in clients:
                client.tasks = uuids(await client.ask(b'{"mode":"all"}'))
            reads = ClosedLoop[Client](clients, read, b'"type":"task.update"', ours.ws_pids)
            connections = await connect(ours.rest_port, _CLIENTS)
            await reads.run(0.5)
            for _ in range(effort.rounds):
                quiet.append(await reads.run(2 * effort.seconds))
                async with asyncio.TaskGroup() as tasks:
                    logging_in = [
                        tasks.create_task(_log_in(connection, sys.maxsize)) for connection in connections
                    ]
                    await asyncio.sleep(0.5)
                    busy.append(await reads.run(2 * effort.seconds))
                    for task in logging_in:
                        task.cancel()
                connections = await connect(ours.rest_port, _CLIENTS)
                await asyncio.sleep(1)  # for the password checks in progress
            for _ in range(min(effort.rounds, 5)):
                bare.append(_LOGINS / await _bare_bcrypt(effort))
                began = perf_counter()
                async with asyncio.TaskGroup() as tasks:
                    for connection in connections:
                        tasks.create_task(_log_in(connection, _LOGINS // _CLIENTS))
                logins.append(_LOGINS / (perf_counter() - began))
    found = Findings()
    slower = ratios([window.p99 for window in busy], [window.p99 for window in quiet])
    found.at_most("read p99 while logins saturate, to without", 2.0, "×", slower)
    found.at_least("logins, to bare bcrypt", 0.9, ratios(logins, bare))
    found.tables.append(rate_table({"read": quiet, "read while logins saturate": busy}))
    rows = [
        ["logins a second", number(Spread.of(logins).median)],
        ["bare bcrypt checks a second", number(Spread.of(bare).median)],
    ]
    found.tables.append(Table(f"Logins at cost {PASSWORD_ROUNDS}", ["", ""], rows))
    return found


async def _log_in(connection: HttpClient, times: int) -> None:
    try:
        for _ in range(times):
            answer = await connection.ask(_LOGIN)
            if not answer.startswith(OK):
                raise UnexpectedAnswer(answer[:300])
    except asyncio.CancelledError:
        connection.close()  # its answer has not arrived
        raise


async def _bare_bcrypt(effort: Effort) -> float:
    """Seconds for ``_LOGINS`` checks on the servers' core."""
    with on_cores({effort.cores.servers}):
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "benchmarks.baselines.bcrypt_raw", str(_LOGINS), str(PASSWORD_ROUNDS)],
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise ServerFailed("bare bcrypt did not run")
    return float(said)
