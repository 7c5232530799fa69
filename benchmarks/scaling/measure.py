"""Takes the costs on a small cluster: two hosts with a gateway and a WebSocket server each, on one PostgreSQL and one Valkey, as
processes of this machine. CPU time counts, not throughput, so each is taken at a modest, steady rate."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any, Final, NamedTuple

import asyncpg
from redis.asyncio import Redis

from benchmarks.closed_loop import UnexpectedAnswer
from benchmarks.databases import PostgresqlServer, postgresql, valkey
from benchmarks.machine import (
    Cores,
    OtherLoad,
    cpu_seconds,
    describe,
    memory_bytes,
    on_cores,
    tree_cpu_seconds,
)
from benchmarks.scaling.costs import Check, Costs, Measured
from benchmarks.seed import add_users, open_store
from benchmarks.servers import System, access_token, data_folder, settings_of, system
from benchmarks.websocket_load import Client, connect, connect_all
from shared.postgres_url import with_data_folder

_SOCKETS: Final = 4500  # from which the costs of an idle socket are taken
_SOCKETS_CHECKED: Final = 1500
_CONNECTS: Final = 300
_WRITERS: Final = 50
_MORE_SOCKETS: Final = 9  # of each writer, at the other host
_REST_SECONDS: Final = 5.0
_IDLE_SECONDS: Final = 20.0  # one ping of each socket
_WRITES_A_SECOND: Final = 200.0
_WRITE_SECONDS: Final = 3.0
_ROUNDS: Final = 3
_CHECKED_WRITES_A_SECOND: Final = 120.0
_CHECKED_CONNECTS_A_SECOND: Final = 20
_CHECKED_SECONDS: Final = 5.0
_SETTLE_SECONDS: Final = 1.5  # until what was begun is done, and the metrics are written
_ANSWER_SECONDS: Final = 30.0
_PROCESSES: Final = 4
_USERS: Final = 4 * _WRITERS + _SOCKETS + _ROUNDS * round(_CHECKED_CONNECTS_A_SECOND * _CHECKED_SECONDS)
_CREATE: Final = b'{"mode":"create","data":{"task":"Buy milk and bread","description":"Semi-skimmed, two litres; and the dark rye"}}'


class Spent(NamedTuple):
    """Since a start, or between two moments. CPU in seconds; ``log``: bytes of the write-ahead log; ``traffic``: of the broker."""

    seconds: float
    writer: float
    reader: float
    database: float
    broker: float
    log: float
    size: float
    broker_memory: float
    traffic: float

    def since(self, before: Spent) -> Spent:
        return Spent(*[now - then for now, then in zip(self, before, strict=True)])

    def beyond(self, rate: Spent) -> Spent:
        """Without what would have been spent anyway: ``rate`` is of each second."""
        return Spent(*[value - self.seconds * each for value, each in zip(self, rate, strict=True)])


class Cluster(NamedTuple):
    """``writer``: the host whose sockets write; ``reader``: that whose sockets only listen."""

    writer: System
    reader: System
    server: PostgresqlServer
    database: Any
    broker: Redis

    async def spent(self) -> Spent:
        row = await self.database.fetchrow(
            "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn, pg_database_size(current_database())"
        )
        info = await self.broker.info("all")
        return Spent(
            perf_counter(),
            cpu_seconds(self.writer.ws_pids),
            cpu_seconds(self.reader.ws_pids),
            tree_cpu_seconds(self.server.pid),
            info["used_cpu_user"] + info["used_cpu_sys"],
            float(row[0]),
            float(row[1]),
            float(info["used_memory"]),
            float(info["total_net_input_bytes"] + info["total_net_output_bytes"]),
        )

    async def during(self, seconds: float) -> Spent:
        before = await self.spent()
        await asyncio.sleep(seconds)
        return (await self.spent()).since(before)

    def reader_memory(self) -> float:
        return float(memory_bytes(self.reader.ws_pids))


async def measure(cores: Cores) -> Measured:
    """Takes less than two minutes. Raises ServerFailed, UnexpectedAnswer, TimeoutError."""
    with on_cores(cores.both):
        machine = describe(Path(tempfile.gettempdir()))
        other_load = OtherLoad()
        async with _cluster(cores) as cluster:
            costs, checks = await _costs_and_checks(cluster)
        return Measured(costs, checks, datetime.now(UTC).date().isoformat(), machine, other_load.share())


@asynccontextmanager
async def _cluster(cores: Cores) -> AsyncIterator[Cluster]:
    with ExitStack() as stack:
        server = stack.enter_context(postgresql(cores))
        events_url = stack.enter_context(valkey(cores))
        url = await server.make_database("scaling")
        hosts: list[System] = []
        for _ in ("writer", "reader"):
            folder = stack.enter_context(data_folder())
            settings = {"DATABASE_URL": with_data_folder(url, folder), "EVENTS_URL": events_url}
            if not hosts:
                async with open_store(settings_of(folder, **settings)) as store:
                    await add_users(store, _USERS)
            hosts.append(stack.enter_context(system(folder, cores, settings, worker_cores=[cores.both])))
        database = await asyncpg.connect(url)
        try:
            async with Redis.from_url(events_url) as broker:
                yield Cluster(hosts[0], hosts[1], server, database, broker)
        finally:
            await database.close()


async def _costs_and_checks(cluster: Cluster) -> tuple[Costs, list[Check]]:
    users = itertools.count(1)
    await _warm_up(cluster, [next(users) for _ in range(_WRITERS)])
    memory = cluster.reader_memory()
    rest = _rate(await cluster.during(_REST_SECONDS))

    before = await cluster.spent()
    await _connect_one_by_one(cluster.reader, [next(users) for _ in range(_CONNECTS)], 0.0)
    await asyncio.sleep(_SETTLE_SECONDS)
    connecting = (await cluster.spent()).since(before).beyond(rest)
    await _open(cluster.reader, [next(users) for _ in range(_SOCKETS_CHECKED - _CONNECTS)])
    memory_checked = cluster.reader_memory() - memory
    await _open(cluster.reader, [next(users) for _ in range(_SOCKETS - _SOCKETS_CHECKED)])
    followed_memory = ((await cluster.spent()).broker_memory - before.broker_memory) / _SOCKETS
    socket_memory = (cluster.reader_memory() - memory) / _SOCKETS

    # Users whom nobody hears at the other host, one socket, and some more.
    groups = [[next(users) for _ in range(_WRITERS)] for _ in range(3)]
    alone, heard, pushed = [await _open(cluster.writer, group) for group in groups]
    await _open(cluster.reader, [*groups[1], *groups[2] * (1 + _MORE_SOCKETS)])
    idle = _rate(await cluster.during(_IDLE_SECONDS))
    beside = idle.since(rest)
    listening = _SOCKETS + (2 + _MORE_SOCKETS) * _WRITERS
    followed = _SOCKETS + 5 * _WRITERS  # at either host

    rounds = []
    for _ in range(_ROUNDS):
        first = await _write(cluster, alone, idle)
        second = await _write(cluster, heard, idle)
        third = await _write(cluster, pushed, idle)
        rounds.append(
            _Round(first, second, third, *await _together(cluster, [*alone, *heard, *pushed], users))
        )
    hint_cpu = _median(each.heard.reader for each in rounds)
    publish_cpu = _median(each.alone.broker for each in rounds)
    costs = Costs(
        worker_cpu=(rest.writer + rest.reader) / 2,
        worker_memory=memory,
        socket_cpu=beside.reader / listening,
        socket_memory=socket_memory,
        connect_cpu=connecting.reader / _CONNECTS,
        create_cpu=_median(each.alone.writer for each in rounds),
        hint_cpu=hint_cpu,
        push_cpu=(_median(each.pushed.reader for each in rounds) - hint_cpu) / _MORE_SOCKETS,
        database_process_cpu=rest.database / _PROCESSES,
        database_followed_cpu=beside.database / followed,
        database_connect_cpu=connecting.database / _CONNECTS,
        database_create_cpu=_median(each.alone.database for each in rounds),
        database_create_log=_median(each.alone.log for each in rounds),
        database_create_size=statistics.mean(
            spent.size for each in rounds for spent in (each.alone, each.heard, each.pushed)
        ),
        broker_followed_memory=followed_memory,
        broker_publish_cpu=publish_cpu,
        broker_delivery_cpu=_median(each.heard.broker for each in rounds) - publish_cpu,
        hint_size=_median(each.heard.traffic - each.alone.traffic for each in rounds),
    )
    predicted = _predicted(costs, _median(each.writes for each in rounds), listening, followed)

    def check(part: str, what: str, unit: str, units: float) -> Check:
        measured = _median(getattr(each.together, part) for each in rounds)
        return Check(f"all at once: {what}", unit, predicted[part] * units, measured * units)

    memories = (_SOCKETS_CHECKED * socket_memory / 1e6, memory_checked / 1e6)
    return costs, [
        Check(f"memory of {_SOCKETS_CHECKED:,} sockets", "MB", *memories),
        check("writer", "the server that writes", "ms of CPU a second", 1e3),
        check("reader", "the server that listens", "ms of CPU a second", 1e3),
        check("database", "PostgreSQL", "ms of CPU a second", 1e3),
        check("traffic", "traffic of Valkey", "KB a second", 1e-3),
    ]


class _Round(NamedTuple):
    """What one create takes, of each group of writers; then all at once: what a second takes, and its number of creates."""

    alone: Spent
    heard: Spent
    pushed: Spent
    together: Spent
    writes: float


def _predicted(costs: Costs, writes: float, listening: int, followed: int) -> dict[str, float]:
    """What the model says of ``_together``: of each second, with that many creates, a third of each group."""
    connects = writes * _CHECKED_CONNECTS_A_SECOND / _CHECKED_WRITES_A_SECOND
    return {
        "writer": costs.worker_cpu + 3 * _WRITERS * costs.socket_cpu + writes * costs.create_cpu,
        "reader": costs.worker_cpu
        + listening * costs.socket_cpu
        + connects * costs.connect_cpu
        + writes * (2 * costs.hint_cpu + _MORE_SOCKETS * costs.push_cpu) / 3,
        "database": _PROCESSES * costs.database_process_cpu
        + followed * costs.database_followed_cpu
        + connects * costs.database_connect_cpu
        + writes * costs.database_create_cpu,
        "traffic": writes * (1 + 1 + 2 / 3) * costs.hint_size,  # in, to the sender, to the other host
    }


async def _together(cluster: Cluster, writers: Sequence[Client], users: Iterator[int]) -> tuple[Spent, float]:
    """What a second takes, and how many creates it had."""
    more = [next(users) for _ in range(round(_CHECKED_CONNECTS_A_SECOND * _CHECKED_SECONDS))]
    before = await cluster.spent()
    await asyncio.gather(
        _connect_one_by_one(cluster.reader, more, 1 / _CHECKED_CONNECTS_A_SECOND),
        _send(writers, _CHECKED_WRITES_A_SECOND, _CHECKED_SECONDS),
    )
    spent = (await cluster.spent()).since(before)
    return _rate(spent), _CHECKED_WRITES_A_SECOND * _CHECKED_SECONDS / spent.seconds


async def _connect_one_by_one(host: System, users: Sequence[int], pause: float) -> None:
    """A socket for each, as clients of their own come. ``pause``: seconds from the start of one to that of the next."""
    began = perf_counter()
    for number, user in enumerate(users):
        await asyncio.sleep(max(0.0, began + number * pause - perf_counter()))
        await connect(host.ws_url, access_token(user))


async def _warm_up(cluster: Cluster, users: Sequence[int]) -> None:
    """What a process loads for its first clients is no cost of each."""
    clients = [*await _open(cluster.writer, users), *await _open(cluster.reader, users)]
    await _send(clients, _WRITES_A_SECOND, 1.0)
    for client in clients:
        client.close()
    await asyncio.sleep(_SETTLE_SECONDS)


async def _open(host: System, users: Sequence[int]) -> list[Client]:
    """A socket for each, open and at rest."""
    clients = await connect_all(host.ws_url, [access_token(user) for user in users])
    await asyncio.sleep(_SETTLE_SECONDS)
    return clients


async def _write(cluster: Cluster, writers: Sequence[Client], idle: Spent) -> Spent:
    """What one create takes, beyond what ``idle`` says of each second."""
    before = await cluster.spent()
    await _send(writers, _WRITES_A_SECOND, _WRITE_SECONDS)
    spent = (await cluster.spent()).since(before).beyond(idle)
    return Spent(*[value / (_WRITES_A_SECOND * _WRITE_SECONDS) for value in spent])


async def _send(writers: Sequence[Client], rate: float, seconds: float) -> None:
    """Creates, evenly spread over time and writers; returns when all are answered and delivered. Raises UnexpectedAnswer."""
    count, answered, done = round(rate * seconds), 0, asyncio.Event()
    wrong: list[bytes] = []

    def take(_: Client, frame: bytes) -> None:
        nonlocal answered
        answered += 1
        if b'"mode":"create"' not in frame:
            wrong.append(frame)
        if answered == count:
            done.set()

    for writer in writers:
        writer.on_answer = take
    began, turns = perf_counter(), itertools.cycle(writers)
    for number in range(count):  # each by itself: two at once would share a commit
        await asyncio.sleep(max(0.0, began + number / rate - perf_counter()))
        next(turns).send(_CREATE)
    async with asyncio.timeout(_ANSWER_SECONDS):
        await done.wait()
    if wrong:
        raise UnexpectedAnswer(wrong[0][:300])
    await asyncio.sleep(_SETTLE_SECONDS)


def _median(values: Iterable[float]) -> float:
    """Over the rounds."""
    return statistics.median(values)


def _rate(spent: Spent) -> Spent:
    """Of each second."""
    return Spent(*[value / spent.seconds for value in spent])
