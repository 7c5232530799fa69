"""A Valkey cluster of a test's own: three servers that have a third of the slots each, and a replica of the last."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, cast

from redis import Redis

from tests.support.hosts import THIS_MACHINE
from tests.support.ports import free_port
from tests.support.valkey import ValkeyServer, valkey_program
from tests.support.waiting import wait_until

_SECONDS: Final = 30
_SLOTS: Final = 16384
_PRIMARIES: Final = 3


class ValkeyCluster:
    """Each server can be stopped, killed, frozen and started again. ``folder``: for what they know of each other."""

    def __init__(self, folder: Path) -> None:
        self._bus_ports = [free_port() for _ in range(_PRIMARIES + 1)]
        self.servers = [
            ValkeyServer(
                valkey_program(),
                THIS_MACHINE,
                (
                    *("--cluster-enabled", "yes", "--cluster-port", str(port), "--dir", str(folder)),
                    *("--cluster-config-file", f"{port}.conf", "--cluster-node-timeout", "500"),
                    *("--repl-diskless-sync-delay", "0"),
                ),
            )
            for port in self._bus_ports
        ]
        self.primaries, self.replica = self.servers[:_PRIMARIES], self.servers[_PRIMARIES]

    def form(self) -> None:
        """Returns when each server knows all slots, and the replica could take its primary's place."""
        for server in self.servers:
            server.start()
        for epoch, server in enumerate(self.servers, 1):
            self.cluster(server, "SET-CONFIG-EPOCH", epoch)
        bounds = [_SLOTS * number // _PRIMARIES for number in range(_PRIMARIES + 1)]
        for server, (start, end) in zip(self.primaries, pairwise(bounds), strict=True):
            self.cluster(server, "ADDSLOTSRANGE", start, end - 1)
        first = self.servers[0]
        for server in self.servers[1:]:
            self.cluster(server, "MEET", "127.0.0.1", first.port, self._bus_ports[0])
        primary = self.primaries[-1]
        wait_until(lambda: self.id_of(primary) in self._nodes(self.replica), _SECONDS, "they have met")
        self.cluster(self.replica, "REPLICATE", self.id_of(primary))
        self.wait_whole()

    def wait_whole(self) -> None:
        """Until each server knows the others and who has which slots, and the replica follows."""
        wait_until(self._is_whole, _SECONDS, "the cluster is whole")

    def cluster(self, server: ValkeyServer, *command: object) -> Any:
        """What it answers to that command after ``CLUSTER``."""
        return execute(server, "CLUSTER", *command)

    def id_of(self, server: ValkeyServer) -> str:
        return str(self.cluster(server, "MYID").decode())

    def move_slot(self, slot: int, to: ValkeyServer) -> None:
        for server in (to, *(server for server in self.primaries if server is not to)):
            self.cluster(server, "SETSLOT", slot, "NODE", self.id_of(to))

    def _nodes(self, server: ValkeyServer) -> str:
        return str(self.cluster(server, "NODES"))

    def _is_whole(self) -> bool:
        for server in self.servers:
            nodes = self._nodes(server)
            slots = sum(last - first + 1 for first, last, *_ in self.cluster(server, "SLOTS"))
            if slots != _SLOTS or nodes.count("slave") != 1 or nodes.count(" connected") != len(self.servers):
                return False
            if "fail" in nodes:
                return False
        replicas = [execute(server, "INFO", "replication") for server in self.servers]
        return any("up" in str(replica.get("master_link_status")) for replica in replicas)


def execute(server: ValkeyServer, *command: object) -> Any:
    with Redis(host="127.0.0.1", port=server.port) as client:
        return cast("Any", client).execute_command(*command)


@contextmanager
def valkey_cluster(folder: Path) -> Iterator[ValkeyCluster]:
    """One that is whole. Skips the test where Valkey is not installed; in CI, fails."""
    cluster = ValkeyCluster(folder)
    try:
        cluster.form()
        yield cluster
    finally:
        for server in cluster.servers:
            server.stop()
