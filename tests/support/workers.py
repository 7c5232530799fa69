"""Sockets on every worker of one port, over which the kernel spreads the connections."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import psutil

from tests.support.clients import Socket, connected
from tests.support.processes import System

_TRIES = 64  # the kernel chooses by a hash of the ports


def worker_of(system: System, socket: Socket) -> int:
    """The process id of the worker that serves this socket."""
    port = socket.connection.local_address[1]
    for worker in system.ws_workers:
        for connection in psutil.Process(worker.pid).net_connections("tcp"):
            if connection.raddr and connection.raddr.port == port:
                return worker.pid
    raise AssertionError("no worker serves this socket")


@asynccontextmanager
async def on_every_worker(system: System, token: str, **auth: object) -> AsyncIterator[list[Socket]]:
    """One authenticated socket on each worker."""
    async with AsyncExitStack() as stack:
        found: dict[int, Socket] = {}
        for _ in range(_TRIES):
            async with AsyncExitStack() as trial:
                socket = await trial.enter_async_context(connected(system, token, **auth))
                if (worker := worker_of(system, socket)) not in found:
                    found[worker] = socket
                    stack.push_async_exit(trial.pop_all())
            if len(found) == system.workers:
                break
        assert len(found) == system.workers
        yield list(found.values())
