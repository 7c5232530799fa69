"""50,000 authenticated connections of 500 users on three workers. A task is posted for every user; each connection must get
its push, and then answer a probe. The memory is the proportional set size of the three workers after that."""

from __future__ import annotations

import asyncio
import math
from itertools import cycle, islice
from time import perf_counter
from typing import Final

from benchmarks.cases import Effort
from benchmarks.cases.idle import PER_PROCESS, idle_connections
from benchmarks.cases.rest import OK, posts
from benchmarks.closed_loop import UnexpectedAnswer
from benchmarks.figures import Spread
from benchmarks.http_load import connect
from benchmarks.machine import cpu_seconds, memory_bytes
from benchmarks.report import number
from benchmarks.results import Findings, Table
from benchmarks.seed import add_users, open_store
from benchmarks.servers import access_tokens, data_folder, settings_of, system

_CONNECTIONS: Final = 50_000
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
            began = perf_counter()
            async with idle_connections(ours.ws_url, tokens) as held:
                opening = perf_counter() - began
                accepting = cpu_seconds(ours.ws_pids) / _CONNECTIONS * 1000
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
        ["processes that hold the connections", str(math.ceil(_CONNECTIONS / PER_PROCESS))],
    ]
    found.tables.append(Table("Beside that", ["", ""], rows))
    return found
