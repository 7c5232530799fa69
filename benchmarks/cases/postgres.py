"""PostgreSQL beside SQLite. PostgreSQL waits for the disk, too (`fsync=on`), and Valkey carries the hints; both may use both cores.
First 64 connections of 64 users on one worker, each with one request in flight. The worker is on the servers' core; its windows
alternate with those of the raw echo. Then as many on each of two and of four workers, which share both cores with the load and
the databases. So the rates of several workers are not what they could do on cores of their own; what they cost each other shows
in the CPU time of a request. Last, 64 writers on the store alone, in groups of up to 64 writes, and one write at a time."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import Final, NamedTuple
from unittest.mock import patch

from benchmarks.cases import Effort
from benchmarks.cases.websocket import TASK_FRAME, create, echo_loop, read
from benchmarks.closed_loop import ClosedLoop, Window, alternate
from benchmarks.databases import postgresql, valkey
from benchmarks.figures import Spread, ratios
from benchmarks.machine import on_cores
from benchmarks.report import number, rate_table
from benchmarks.results import Findings, Table
from benchmarks.seed import DESCRIPTION, add_tasks, add_users, open_store
from benchmarks.servers import access_tokens, baseline, data_folder, settings_of, system
from benchmarks.websocket_load import Client, connect_all, uuids
from shared.clock import system_clock
from shared.models import CreateTask
from shared.store import Store, batching

REQUESTS: Final = {"read": read, "create": create}
ENGINES: Final = ("SQLite", "PostgreSQL")
ECHO: Final = "raw echo"
CONNECTIONS: Final = 64  # of each worker

_WORKERS: Final = (1, 2, 4)
_TASKS: Final = 5
_WRITERS: Final = 64
_GROUPS: Final = {"in groups": 64, "one write at a time": 1}

Windows = dict[str, list[Window]]


class _Engine(NamedTuple):
    """``settings``: what names a new database, given the folder of a system. ``pid``: of the server, if there is one."""

    name: str
    settings: Callable[[Path], dict[str, str]]
    pid: int | None


def rows_of(request: str) -> dict[str, str]:
    """Whose rows the table of rates has for a request, and what they are called there."""
    names = [ECHO, *[_name(engine, workers) for engine in ENGINES for workers in _WORKERS]]
    return {name: f"{request}, {name}" for name in names}


def _name(engine: str, workers: int) -> str:
    return f"{engine}, {_counted(workers)}"


def _counted(workers: int) -> str:
    return f"{workers} worker{'s' if workers > 1 else ''}"


async def measure(effort: Effort) -> Findings:
    found = Findings()
    windows: Windows = {}
    alone: dict[str, list[float]] = {}
    with ExitStack() as stack:
        server = stack.enter_context(postgresql(effort.cores))
        broker = stack.enter_context(valkey(effort.cores))

        async def engines(name: str) -> list[_Engine]:
            url = await server.make_database(name)
            on_postgresql = lambda folder: {"DATABASE_URL": f"{url}?data={folder}", "EVENTS_URL": broker}
            return [
                _Engine("SQLite", lambda _: {}, None),
                _Engine("PostgreSQL", on_postgresql, server.pid),
            ]

        for workers in _WORKERS:
            windows |= await _throughput(effort, await engines(f"workers_{workers}"), workers)
        for engine in await engines("alone"):
            alone |= await _alone(effort, engine)
    creates = rows_of("create")
    ours, raw = windows[creates[_name("PostgreSQL", 1)]], windows[creates[ECHO]]
    found.at_least(
        "durable create on PostgreSQL, to the echo", 0.25, ratios(_rates(ours), _rates(raw)), ours, raw
    )
    grouped, single = (alone[f"PostgreSQL, {how}"] for how in _GROUPS)
    found.at_least("64 writers on PostgreSQL: in groups, to one write at a time", 5, ratios(grouped, single))
    found.tables += [rate_table(windows), _cpu_table(windows), _alone_table(alone)]
    return found


def _rates(windows: list[Window]) -> list[float]:
    return [window.rate for window in windows]


async def _throughput(effort: Effort, engines: list[_Engine], workers: int) -> Windows:
    """One worker is on the servers' core, several are on both."""
    users = CONNECTIONS * workers
    cores = [{effort.cores.servers}, {effort.cores.load}] * (workers // 2) or [{effort.cores.servers}]
    windows: Windows = {}
    with ExitStack() as stack:
        loops: dict[str, list[ClosedLoop[Client]]] = {request: [] for request in REQUESTS}
        names = [_name(engine.name, workers) for engine in engines]
        for engine in engines:
            folder = stack.enter_context(data_folder())
            settings = engine.settings(folder)
            async with open_store(settings_of(folder, **settings)) as store:
                await add_users(store, users)
                await add_tasks(store, range(1, users + 1), _TASKS)
            ours = stack.enter_context(system(folder, effort.cores, settings, worker_cores=cores))
            clients = await connect_all(ours.ws_url, access_tokens(users))
            for client in clients:
                client.tasks = uuids(await client.ask(b'{"mode":"all"}'))
            for request, make in REQUESTS.items():
                loops[request].append(ClosedLoop(clients, make, TASK_FRAME, ours.ws_pids, engine.pid))
        if workers == 1:
            echo = stack.enter_context(baseline(folder, effort.cores, "echo"))
            echo_clients = await connect_all(echo.ws_url, access_tokens(users))
            names.append(ECHO)
            for of in loops.values():
                of.append(echo_loop(echo_clients, echo))
        with on_cores({effort.cores.load} if workers == 1 else effort.cores.both):
            for request, of in loops.items():
                measured = await alternate(effort.rounds, effort.seconds, of)
                rows = rows_of(request)
                windows |= {rows[name]: each for name, each in zip(names, measured, strict=True)}
    return windows


async def _alone(effort: Effort, engine: _Engine) -> dict[str, list[float]]:
    """Creates a second on the store alone, in this process, by how they are grouped."""
    rates: dict[str, list[float]] = {f"{engine.name}, {how}": [] for how in _GROUPS}
    with data_folder() as folder:
        async with open_store(settings_of(folder, **engine.settings(folder))) as store:
            await add_users(store, _WRITERS)
            for _ in range(effort.rounds):
                for how, most in _GROUPS.items():
                    with patch.object(batching, "GROUP_MAX", most):
                        rates[f"{engine.name}, {how}"].append(await _busy_writers(store, effort.seconds))
    return rates


async def _busy_writers(store: Store, seconds: float) -> float:
    """Each starts its next create when the last one is answered."""
    began = perf_counter()
    task = CreateTask(None, "Task seq=1;", DESCRIPTION)

    async def write(user_id: int) -> int:
        count = 0
        while perf_counter() < began + seconds:
            await store.write(user_id, task, now=system_clock(), max_tasks=sys.maxsize)
            count += 1
        return count

    counts = await asyncio.gather(*[write(user_id) for user_id in range(1, _WRITERS + 1)])
    return sum(counts) / (perf_counter() - began)


def _cpu_table(windows: Mapping[str, list[Window]]) -> Table:
    """What one request takes, in microseconds."""

    def each(name: str, seconds: Callable[[Window], float]) -> str:
        return number(
            Spread.of([seconds(window) / window.operations * 1e6 for window in windows[name]]).median
        )

    rows = []
    for request in REQUESTS:
        for workers in _WORKERS:
            sqlite, postgres = (rows_of(request)[_name(engine, workers)] for engine in ENGINES)
            rows.append(
                [
                    f"{request}, {_counted(workers)}",
                    each(sqlite, lambda window: window.server_cpu_seconds),
                    each(postgres, lambda window: window.server_cpu_seconds),
                    each(postgres, lambda window: window.database_cpu_seconds),
                ]
            )
    columns = ["", "worker on SQLite", "worker on PostgreSQL", "PostgreSQL itself"]
    return Table("CPU time of a request, µs", columns, rows)


def _alone_table(alone: Mapping[str, list[float]]) -> Table:
    rows = [[name, number(Spread.of(rates).median)] for name, rates in alone.items()]
    return Table("64 writers on the store alone", ["", "creates a second"], rows)
