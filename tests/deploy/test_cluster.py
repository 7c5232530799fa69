"""Two gateways and three WebSocket servers on PostgreSQL and Valkey behind nginx, with ``deploy/cluster/nginx.conf``."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
import websockets
from websockets.asyncio.client import ClientConnection

from shared.postgres_url import with_data_folder
from tests.deploy.proxies import NAME, Proxy, cluster_proxied
from tests.support.clients import Account, new_account
from tests.support.ports import free_port
from tests.support.postgresql import postgresql
from tests.support.processes import Process, System
from tests.support.valkey import ValkeyServer, valkey
from tests.support.waiting import until, wait_until

_SOCKETS: Final = 6


class Cluster(NamedTuple):
    proxy: Proxy
    valkey: ValkeyServer
    gateways: list[Process]
    workers: list[Process]
    account: Account

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.account.access}"}


def _process(module: str, number: int, system: System, folder: Path) -> Process:
    port = free_port()
    variable = "TASKBEAM_WS_PORT" if module == "ws_server" else "TASKBEAM_REST_PORT"
    environ = {**system.environ, variable: str(port)}
    return Process(module, port, environ, folder / f"{module}_of_cluster_{number}.log")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    with postgresql() as database, valkey() as broker:
        environ = {
            "TASKBEAM_DATABASE_URL": with_data_folder(database, folder),
            "TASKBEAM_EVENTS_URL": broker.url,
            "TASKBEAM_TRUSTED_PROXIES": "127.0.0.1",
        }
        system = System(folder, environ)
        gateways = [system.gateway, _process("rest_gateway", 1, system, folder)]
        workers = [system.ws, *(_process("ws_server", number, system, folder) for number in (1, 2))]
        processes = [*gateways, *workers]
        try:
            for process in processes:
                process.start(ready=False)
            for process in processes:
                process.wait_ready()
            ports = [process.port for process in gateways], [process.port for process in workers]
            with cluster_proxied(*ports, folder) as proxy:
                yield Cluster(proxy, broker, gateways, workers, new_account(system))
            assert [process.stop() for process in processes] == [0] * len(processes)
        finally:
            for process in processes:
                process.kill_if_running()


class Client:
    """A socket that connects again as soon as it was told to, and goes on where it was.

    To be refused is an error, and so is a change that comes twice or is missing.

    Attributes:
        seq: of its last change; -1 before it is connected.
        codes: how its connections were closed.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._epoch = ""
        self.seq = -1
        self.codes: list[int | None] = []
        self.tasks: list[Any] = []

    async def run(self) -> None:
        while True:
            async with await _connect(self._cluster) as connection:
                with suppress(websockets.ConnectionClosed):
                    await self._begin(connection)
                    while True:
                        self._take(json.loads(await connection.recv()))
            self.codes.append(connection.close_code)

    async def _begin(self, connection: ClientConnection) -> None:
        await connection.send(json.dumps({"type": "auth", "token": self._cluster.account.access}))
        welcome = json.loads(await connection.recv())
        assert welcome["type"] == "auth", welcome
        if self.seq < 0:
            self.seq, self._epoch = welcome["seq"], welcome["epoch"]
        more = self.seq < welcome["seq"]
        while more:
            await connection.send(json.dumps({"mode": "sync", "epoch": self._epoch, "since": self.seq}))
            # A change that comes before the answer is in it.
            while (answer := json.loads(await connection.recv()))["type"] != "sync":
                pass
            assert answer["recovered"], answer
            for change in answer["changes"]:
                self._take(change)
            more = answer["more"]

    def _take(self, change: Any) -> None:
        assert change["seq"] == self.seq + 1, f"after change {self.seq} came {change}"
        self.seq = change["seq"]
        self.tasks.append(change["task"])


async def _connect(cluster: Cluster) -> ClientConnection:
    return await websockets.connect(
        f"wss://{NAME}:{cluster.proxy.port}/ws/tasks/", host="127.0.0.1", ssl=cluster.proxy.tls, proxy=None
    )


async def _stay_connected(stack: AsyncExitStack, cluster: Cluster) -> list[Client]:
    """Clients that are connected until the stack is closed; an error of theirs ends its body."""
    clients = [Client(cluster) for _ in range(_SOCKETS)]
    group = await stack.enter_async_context(asyncio.TaskGroup())
    for client in clients:
        stack.callback(group.create_task(client.run()).cancel)
    await until(lambda: all(client.seq >= 0 for client in clients), 20, "all are connected")
    return clients


async def test_a_write_reaches_the_sockets_of_every_server(cluster: Cluster) -> None:
    async with AsyncExitStack() as stack:
        clients = await _stay_connected(stack, cluster)
        tasks = []
        for _ in cluster.gateways:
            answer = await asyncio.to_thread(
                cluster.proxy.ask, "POST", "/", {"task": "For all"}, cluster.headers
            )
            assert answer.status == 201
            tasks.append(answer.body)
            await until(lambda: all(client.tasks == tasks for client in clients), 10, "it is there")


async def test_a_restart_of_each_process_in_turn_is_seen_as_1012_alone(cluster: Cluster) -> None:
    statuses: list[int] = []
    is_over = threading.Event()

    def ask(method: str, path: str, body: object) -> None:
        while not is_over.is_set():
            statuses.append(cluster.proxy.ask(method, path, body, cluster.headers).status)

    requests = [("GET", "/?limit=1", None), ("POST", "/", {"task": "Under load"})]
    asking = [threading.Thread(target=ask, args=request) for request in requests]
    async with AsyncExitStack() as stack:
        clients = await _stay_connected(stack, cluster)
        for thread in asking:
            thread.start()
        try:
            for process in (*cluster.gateways, *cluster.workers):
                await asyncio.to_thread(_restart_under_load, process, statuses)
            await asyncio.to_thread(cluster.valkey.stop)
            await asyncio.to_thread(cluster.valkey.start)
        finally:
            is_over.set()
            for thread in asking:
                await asyncio.to_thread(thread.join)
        assert set(statuses) == {200, 201}
        listed = await asyncio.to_thread(cluster.proxy.ask, "GET", "/?limit=1", None, cluster.headers)
        seq = int(listed.headers["x-taskbeam-seq"])
        await until(lambda: {client.seq for client in clients} == {seq}, 10, "all have all changes")
        assert {code for client in clients for code in client.codes} == {1012}
        assert all(client.codes for client in clients), "each was on a server that was restarted"
        assert all(len(client.tasks) == statuses.count(201) for client in clients)


def _restart_under_load(process: Process, statuses: list[int]) -> None:
    assert process.stop() == 0
    while_away = len(statuses) + 5
    wait_until(lambda: len(statuses) > while_away, 20, "the others answer")
    process.start()
