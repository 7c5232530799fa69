"""50,000 authenticated connections of 500 users on three workers. A task is posted for every user; each connection must get
its push, and then answer a probe. The memory is the proportional set size of the three workers after that; on the way
there it is noted two seconds after the last connection of each number opened."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import cycle, islice, pairwise
from time import perf_counter
from typing import Final

from benchmarks.cases import Effort
from benchmarks.cases.idle import SETTLE_SECONDS, IdleConnections, idle_connections
from benchmarks.cases.rest import OK, posts
from benchmarks.closed_loop import UnexpectedAnswer
from benchmarks.figures import Spread
from benchmarks.http_load import connect
from benchmarks.machine import cpu_seconds, memory_bytes
from benchmarks.report import number
from benchmarks.results import Curve, Findings, Plot, Table
from benchmarks.seed import add_users, open_store
from benchmarks.servers import System, access_tokens, data_folder, settings_of, system

_NOTED: Final = (0, 1_000, 10_000, 25_000, 50_000)
_CONNECTIONS: Final = _NOTED[-1]
_USERS: Final = 500
_WORKERS: Final = 3
_DELIVERY_SECONDS: Final = 60.0
_MEGABYTES: Final = 0.6 * 1024


async def measure(effort: Effort) -> Findings:
    found = Findings()
    with data_folder() as folder:
        async with open_store(settings_of(folder)) as store:
            await add_users(store, _USERS)
        users = access_tokens(_USERS)
        tokens = list(islice(cycle(users), _CONNECTIONS))
        cores = [{effort.cores.servers}] * _WORKERS
        with system(folder, effort.cores, worker_cores=cores) as ours:
            before = cpu_seconds(ours.ws_pids)
            async with idle_connections(ours.ws_url) as held:
                growth, opening = await _open(held, tokens, ours)
                accepting = (cpu_seconds(ours.ws_pids) - before) / _CONNECTIONS * 1000
                began = perf_counter()
                (poster,) = await connect(ours.rest_port, 1)
                for token in users:
                    answer = await poster.ask(posts("/", token)(poster, b""))
                    if not answer.startswith(OK):
                        raise UnexpectedAnswer(answer[:300])
                pushed = 0
                while pushed < _CONNECTIONS and perf_counter() - began < _DELIVERY_SECONDS:
                    await asyncio.sleep(0.2)
                    pushed += await held.ask("count")
                pushing = perf_counter() - began
                answered = await held.ask("probe")
                memory = [memory_bytes([pid]) / 2**20 for pid in ours.ws_pids]
                processes = held.processes
    total = sum(memory)
    found.at_most(
        "memory of three workers, 50,000 connections", _MEGABYTES, "MB", Spread(total, total, total)
    )
    for what, count in (("got the push", pushed), ("answered the probe", answered)):
        found.at_least(f"sockets that {what}", _CONNECTIONS, Spread(count, count, count), unit="sockets")
    rows = [
        ["memory of each worker, MB", ", ".join(number(part) for part in memory)],
        ["CPU for 1,000 accepts, s", number(accepting)],
        ["all connections open after, s", number(opening)],
        ["500 writes and all their pushes, s", number(pushing)],
        ["processes that hold the connections", str(processes)],
    ]
    found.tables.append(Table("Beside that", ["", ""], rows))
    found.plots.append(Plot("memory_by_connections", "connections", "MB", [growth]))
    return found


async def _open(held: IdleConnections, tokens: Sequence[str], ours: System) -> tuple[Curve, float]:
    """Open a connection for each token. Returns the workers' memory on the way, in MB, and the seconds without the pauses."""
    growth, opening = Curve("three workers", [0.0], [memory_bytes(ours.ws_pids) / 2**20]), 0.0
    for fewer, more in pairwise(_NOTED):
        began = perf_counter()
        await held.open(tokens[fewer:more])
        opening += perf_counter() - began
        await asyncio.sleep(SETTLE_SECONDS)
        growth.x.append(float(more))
        growth.y.append(memory_bytes(ours.ws_pids) / 2**20)
    return growth, opening
