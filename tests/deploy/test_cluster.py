"""Two gateways and three WebSocket servers on one database behind nginx, with ``deploy/cluster/nginx.conf``."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
import websockets
from websockets.asyncio.client import ClientConnection

from tests.deploy.proxies import NAME, Proxy, cluster_proxied
from tests.support.clients import Account, new_account
from tests.support.ports import free_port
from tests.support.processes import Process, System
from tests.support.waiting import until, wait_until

_SOCKETS: Final = 6


class Cluster(NamedTuple):
    proxy: Proxy
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
    system = System(folder, {"TASKBEAM_TRUSTED_PROXIES": "127.0.0.1"})
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
            yield Cluster(proxy, gateways, workers, new_account(system))
        assert [process.stop() for process in processes] == [0] * len(processes)
    finally:
        for process in processes:
            process.kill_if_running()


async def _connect(cluster: Cluster) -> ClientConnection:
    client = await websockets.connect(
        f"wss://{NAME}:{cluster.proxy.port}/ws/tasks/", host="127.0.0.1", ssl=cluster.proxy.tls, proxy=None
    )
    await client.send(json.dumps({"type": "auth", "token": cluster.account.access}))
    assert json.loads(await client.recv())["type"] == "auth"
    return client


async def _next_change(client: ClientConnection) -> Any:
    async with asyncio.timeout(10):
        return json.loads(await client.recv())["task"]


async def _read_to_the_end(client: ClientConnection) -> int | None:
    """The close code. Reads all frames: the close frame comes after them."""
    with contextlib.suppress(websockets.ConnectionClosedError):
        async for _ in client:
            pass
    return client.close_code


def _have_ended(ends: list[asyncio.Task[int | None]], number: int) -> bool:
    return sum(end.done() for end in ends) == number


async def test_a_write_reaches_the_sockets_of_every_server(cluster: Cluster) -> None:
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(await _connect(cluster)) for _ in range(_SOCKETS)]
        for _ in cluster.gateways:
            answer = await asyncio.to_thread(
                cluster.proxy.ask, "POST", "/", {"task": "For all"}, cluster.headers
            )
            assert answer.status == 201
            assert [await _next_change(client) for client in clients] == [answer.body] * _SOCKETS


async def test_a_restart_of_each_process_in_turn_is_seen_as_1012_alone(cluster: Cluster) -> None:
    statuses: list[int] = []
    is_over = threading.Event()

    def ask(method: str, path: str, body: object) -> None:
        while not is_over.is_set():
            statuses.append(cluster.proxy.ask(method, path, body, cluster.headers).status)

    requests = [("GET", "/?limit=1", None), ("POST", "/", {"task": "Under load"})]
    asking = [threading.Thread(target=ask, args=request) for request in requests]
    for thread in asking:
        thread.start()
    try:
        for gateway in cluster.gateways:
            await asyncio.to_thread(_restart_under_load, gateway, statuses)
        ends = [asyncio.create_task(_read_to_the_end(await _connect(cluster))) for _ in range(_SOCKETS)]
        for number, worker in enumerate(cluster.workers, 1):
            await asyncio.to_thread(_restart_under_load, worker, statuses)
            share = number * _SOCKETS // len(cluster.workers)
            await until(partial(_have_ended, ends, share), 10, "its sockets end, a third of them")
            await (await _connect(cluster)).close()
        assert await asyncio.gather(*ends) == [1012] * _SOCKETS
    finally:
        is_over.set()
        for thread in asking:
            await asyncio.to_thread(thread.join)
    assert set(statuses) == {200, 201}


def _restart_under_load(process: Process, statuses: list[int]) -> None:
    assert process.stop() == 0
    while_away = len(statuses) + 5
    wait_until(lambda: len(statuses) > while_away, 20, "the others answer")
    process.start()
