"""What is done to the cluster while clients write, each with what ``/readyz`` has to say meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple

from tests.cluster.cluster import NAMES, Cluster
from tests.cluster.readiness import Readiness


class Fault(NamedTuple):
    """``needs_links``: it cannot be done where the hosts are addresses of one machine."""

    do: Callable[[Cluster, Readiness, float], Awaitable[None]]
    seconds: float
    needs_links: bool = False


async def _stop_valkey(cluster: Cluster, readiness: Readiness, seconds: float) -> None:
    """The database alone carries what the hosts tell each other, so no process is less ready."""
    cluster.valkey.stop()
    await asyncio.sleep(seconds)
    cluster.valkey.start()


async def _freeze_valkey(cluster: Cluster, readiness: Readiness, seconds: float) -> None:
    with cluster.valkey.frozen():
        await asyncio.sleep(seconds)


async def _cut_valkey(cluster: Cluster, readiness: Readiness, seconds: float) -> None:
    link = cluster.links["valkey"]
    link.cut_link()
    await asyncio.sleep(seconds)
    link.mend_link()


async def _cut_host(cluster: Cluster, readiness: Readiness, seconds: float) -> None:
    """Clients on the host still reach its servers, which reach nothing."""
    name = NAMES[1]
    link, system = cluster.links[name], cluster.systems[1]
    with readiness.outage([system]) as outage:
        link.cut_link()
        outage.has_begun()
        await asyncio.sleep(seconds)
        outage.is_about_to_end()
        link.mend_link()


async def _cut_postgresql(cluster: Cluster, readiness: Readiness, seconds: float) -> None:
    link = cluster.links["postgresql"]
    with readiness.outage(cluster.systems) as outage:
        link.cut_link()
        outage.has_begun()
        await asyncio.sleep(seconds)
        outage.is_about_to_end()
        link.mend_link()


async def _freeze_postgresql(cluster: Cluster, readiness: Readiness, seconds: float) -> None:
    with readiness.outage(cluster.systems) as outage, cluster.postgresql.frozen():
        outage.has_begun()
        await asyncio.sleep(seconds)
        outage.is_about_to_end()


async def _restart_postgresql(cluster: Cluster, readiness: Readiness, seconds: float) -> None:
    await _away(cluster, readiness, seconds, cluster.postgresql.stop)


async def _kill_postgresql(cluster: Cluster, readiness: Readiness, seconds: float) -> None:
    await _away(cluster, readiness, seconds, cluster.postgresql.kill)


async def _away(cluster: Cluster, readiness: Readiness, seconds: float, end: Callable[[], None]) -> None:
    with readiness.outage(cluster.systems) as outage:
        await asyncio.to_thread(end)
        outage.has_begun()
        await asyncio.sleep(seconds)
        outage.is_about_to_end()
        cluster.postgresql.start(ready=False)
        await asyncio.to_thread(cluster.postgresql.wait_ready)


SHORT: Final[Mapping[str, Fault]] = {
    "Valkey is frozen": Fault(_freeze_valkey, 2),
    "a host's link is cut": Fault(_cut_host, 2, needs_links=True),
    "PostgreSQL is killed": Fault(_kill_postgresql, 0.5),
}
LONG: Final[Mapping[str, Fault]] = {
    "Valkey is stopped and started": Fault(_stop_valkey, 2),
    "Valkey is stopped and started, the second time": Fault(_stop_valkey, 0.5),
    "Valkey is stopped and started, the third time": Fault(_stop_valkey, 4),
    "Valkey is frozen": Fault(_freeze_valkey, 7),
    "a host's link is cut": Fault(_cut_host, 5, needs_links=True),
    "a host's link is cut for longer than a deadline": Fault(_cut_host, 13, needs_links=True),
    "Valkey's link is cut": Fault(_cut_valkey, 5, needs_links=True),
    "PostgreSQL's link is cut": Fault(_cut_postgresql, 5, needs_links=True),
    "PostgreSQL is restarted": Fault(_restart_postgresql, 1),
    "PostgreSQL is killed": Fault(_kill_postgresql, 1),
    "PostgreSQL is frozen": Fault(_freeze_postgresql, 7),
    "PostgreSQL is frozen for longer than a deadline": Fault(_freeze_postgresql, 13),
    "PostgreSQL is killed, the second time": Fault(_kill_postgresql, 3),
}
