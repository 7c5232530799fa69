"""64 connections of 64 users, each with one request in flight, on one worker. Windows of ours and of the raw echo alternate;
a ratio compares two neighbouring windows. The echo parses the same read request and sends it back. Each delete has its
own task, created just before: by single creates on each connection, as clients do, so that tasks of many users share a
page; and also by batches of 100, so that two deletes of a commit rarely hit the same page. Last, the same with a single
connection."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from benchmarks.cases import Effort
from benchmarks.closed_loop import ClosedLoop, Window, alternate
from benchmarks.figures import Spread, ratios
from benchmarks.report import rate_table
from benchmarks.results import Findings
from benchmarks.seed import DESCRIPTION, add_tasks, add_users, open_store
from benchmarks.servers import Baseline, access_tokens, baseline, data_folder, settings_of, system
from benchmarks.websocket_load import Client, connect_all, uuids

_CONNECTIONS: Final = 64
_TASKS: Final = 5
TASK_FRAME: Final = b'"type":"task.update"'
_ECHO_REQUEST: Final = b'{"mode":"read","task_id":"0192f0c1-7a1e-7cc2-b0c4-0a4b6d1f2e3a"}'
_DELETES_PER_SECOND: Final = 400  # of one connection: more than it can do
_BATCH: Final = 100

_numbers = itertools.count()


def read(client: Client, _: bytes) -> bytes:
    return b'{"mode":"read","task_id":"%b"}' % client.tasks[next(_numbers) % len(client.tasks)].encode()


def create(_: Client, __: bytes) -> bytes:
    return b'{"mode":"create","data":{"task":"Task seq=%d;","description":"%b"}}' % (
        next(_numbers),
        DESCRIPTION.encode(),
    )


def update(client: Client, _: bytes) -> bytes:
    number = next(_numbers)
    return b'{"mode":"update","task_id":"%b","data":{"task":"Updated seq=%d;"}}' % (
        client.tasks[number % len(client.tasks)].encode(),
        number,
    )


def echo_loop(clients: Sequence[Client], server: Baseline) -> ClosedLoop[Client]:
    """Has the raw echo send a read request back."""
    return ClosedLoop(clients, lambda _, __: _ECHO_REQUEST, b'{"mode":"read"', [server.pid])


async def _one_by_one(client: Client, count: int) -> list[str]:
    return [uuid for _ in range(count) for uuid in uuids(await client.ask(create(client, b"")))]


async def _in_batches(client: Client, count: int) -> list[str]:
    batch = b'{"mode":"batch","ops":[%b]}' % b",".join(create(client, b"") for _ in range(_BATCH))
    return [uuid for _ in range(0, count, _BATCH) for uuid in uuids(await client.ask(batch))]


class _Deletes(ClosedLoop[Client]):
    """Creates the tasks that a window deletes before it starts. The window ends early where they run out."""

    def __init__(
        self, clients: list[Client], pids: list[int], make: Callable[[Client, int], Awaitable[list[str]]]
    ) -> None:
        self._clients = clients
        self._make = make
        self._to_delete: dict[Client, list[str]] = {}
        super().__init__(clients, self._delete, TASK_FRAME, pids)

    async def run(self, seconds: float) -> Window:
        count = round(_DELETES_PER_SECOND * (seconds + 0.5))
        to_delete = await asyncio.gather(*[self._make(client, count) for client in self._clients])
        self._to_delete = dict(zip(self._clients, to_delete, strict=True))
        return await super().run(seconds)

    def _delete(self, client: Client, _: bytes) -> bytes | None:
        to_delete = self._to_delete[client]
        return b'{"mode":"delete","task_id":"%b"}' % to_delete.pop().encode() if to_delete else None


async def measure(effort: Effort) -> Findings:
    found = Findings()
    with data_folder() as folder:
        async with open_store(settings_of(folder)) as store:
            await add_users(store, _CONNECTIONS)
            await add_tasks(store, range(1, _CONNECTIONS + 1), _TASKS)
        with system(folder, effort.cores) as ours, baseline(folder, effort.cores, "echo") as echo:
            tokens = access_tokens(_CONNECTIONS)
            clients = await connect_all(ours.ws_url, tokens)
            for client in clients:
                client.tasks = uuids(await client.ask(b'{"mode":"all"}'))
            echo_clients = await connect_all(echo.ws_url, tokens)

            def loop(requests: Callable[[Client, bytes], bytes], count: int) -> ClosedLoop[Client]:
                return ClosedLoop(clients[:count], requests, TASK_FRAME, ours.ws_pids)

            def echoes(count: int) -> ClosedLoop[Client]:
                return echo_loop(echo_clients[:count], echo)

            async def in_turn(*loops: ClosedLoop[Client]) -> list[list[Window]]:
                return await alternate(effort.rounds, effort.seconds, loops)

            many = _CONNECTIONS
            echo_read, reads = await in_turn(echoes(many), loop(read, many))
            echo_create, creates = await in_turn(echoes(many), loop(create, many))
            create_update, updates = await in_turn(loop(create, many), loop(update, many))
            deletes_of = (_Deletes(clients, ours.ws_pids, make) for make in (_one_by_one, _in_batches))
            create_delete, deletes, scattered = await in_turn(loop(create, many), *deletes_of)
            echo_alone, alone = await in_turn(echoes(1), loop(read, 1))

    found.at_least("read, to the echo", 0.80, _rates(reads, echo_read), echo_read, reads)
    found.at_least("durable create, to the echo", 0.45, _rates(creates, echo_create), echo_create, creates)
    found.at_least("update, to create", 0.90, _rates(updates, create_update), updates)
    found.at_least("delete, to create", 0.90, _rates(deletes, create_delete), deletes)
    latency = ratios([window.p50 for window in alone], [window.p50 for window in echo_alone])
    found.at_most("one connection: read p50, to the echo's", 2.0, "×", latency)
    found.tables.append(
        rate_table(
            {
                "raw echo": [*echo_read, *echo_create],
                "read": reads,
                "create": [*creates, *create_update, *create_delete],
                "update": updates,
                "delete": deletes,
                "delete, each on a page of its own": scattered,
                "raw echo, one connection": echo_alone,
                "read, one connection": alone,
            }
        )
    )
    return found


def _rates(windows: list[Window], base: list[Window]) -> Spread:
    return ratios([window.rate for window in windows], [window.rate for window in base])
