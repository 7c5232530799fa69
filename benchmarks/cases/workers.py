"""Reads on 64 connections with one worker, then on 128 with two workers on the same port. Two cores cannot hold two busy
workers and their load at once. So each worker is kept on its own core, both run in parallel, and the load runs on
whichever core has time; what counts is reads per second of the workers' CPU time. This includes what two workers cost
each other (locks, caches, memory bandwidth), and what the load takes from their caches. Two workers with a core each
would do twice the reads of one CPU second. So the ratio is twice the reads per CPU second of two workers, divided by
those of one worker alone on its core."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final

from benchmarks.cases import Effort
from benchmarks.cases.websocket import read
from benchmarks.closed_loop import ClosedLoop, alternate
from benchmarks.figures import ratios
from benchmarks.machine import on_cores
from benchmarks.report import rate_table
from benchmarks.results import Findings
from benchmarks.seed import add_tasks, add_users, open_store
from benchmarks.servers import access_tokens, data_folder, settings_of, system
from benchmarks.websocket_load import Client, connect_all, uuids

_CONNECTIONS: Final = 64  # of each worker
_TASKS: Final = 5


async def measure(effort: Effort) -> Findings:
    found = Findings()
    windows = []
    with ExitStack() as stack:
        loops = []
        for cores in ([{effort.cores.servers}], [{effort.cores.servers}, {effort.cores.load}]):
            folder = stack.enter_context(data_folder())
            users = _CONNECTIONS * len(cores)
            async with open_store(settings_of(folder)) as store:
                await add_users(store, users)
                await add_tasks(store, range(1, users + 1), _TASKS)
            ours = stack.enter_context(system(folder, effort.cores, worker_cores=cores))
            clients = await connect_all(ours.ws_url, access_tokens(users))
            for client in clients:
                client.tasks = uuids(await client.ask(b'{"mode":"all"}'))
            loops.append(ClosedLoop[Client](clients, read, b'"type":"task.update"', ours.ws_pids))
        one, two = loops
        both: list[list[float]] = [[], []]
        for _ in range(effort.rounds):
            alone = (await alternate(1, effort.seconds, [one]))[0]
            with on_cores(effort.cores.both):
                together = (await alternate(1, effort.seconds, [two]))[0]
            windows.append((*alone, *together))
            for side, window in zip(both, windows[-1], strict=True):
                side.append(window.operations / window.server_cpu_seconds)
    ratio = ratios([2 * reads for reads in both[1]], both[0])
    found.at_least("two workers, to one: reads", 1.6, ratio)
    found.tables.append(
        rate_table(
            {
                "one worker": [alone for alone, _ in windows],
                "two workers, sharing both cores with the load": [together for _, together in windows],
            }
        )
    )
    return found
