"""PostgreSQL, Valkey and three hosts with a gateway and a WebSocket worker each, every one with a link of its own."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.cluster.network import LinkedHost, LocalHost, hosts
from tests.failures.audited_database import AuditedPostgres, Snapshot
from tests.support.postgresql import PostgresqlServer, durable_postgresql
from tests.support.processes import Process, System
from tests.support.valkey import ValkeyServer, valkey

NAMES = ("host-a", "host-b", "host-c")


class Cluster(NamedTuple):
    """``hosts``: by name, also ``postgresql`` and ``valkey``; ``systems``: what runs on the three others."""

    hosts: dict[str, LinkedHost | LocalHost]
    postgresql: PostgresqlServer
    valkey: ValkeyServer
    systems: list[System]

    @property
    def processes(self) -> list[Process]:
        return [process for system in self.systems for process in system.processes]

    @property
    def links(self) -> dict[str, LinkedHost]:
        """The hosts whose links can be cut."""
        return {name: host for name, host in self.hosts.items() if isinstance(host, LinkedHost)}


class AuditedUsers(NamedTuple):
    """See ``tests.failures.audited_database.AuditedDatabase``; of these users alone."""

    cluster: Cluster
    ids: Collection[int]

    def read(self, after: Mapping[int, int]) -> Snapshot:
        with self.cluster.hosts["postgresql"].entered():
            whole = AuditedPostgres(self.cluster.postgresql.url).read(after)
        return Snapshot(
            [change for change in whole.changes if change.user_id in self.ids],
            [(user_id, seq) for user_id, seq in whole.feeds if user_id in self.ids],
            [(uuid, task) for uuid, task in whole.tasks if json.loads(task)["user_id"] in self.ids],
        )


@contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """At the end every process must still run, and stop with status 0."""
    names = ("postgresql", "valkey", *NAMES)
    with hosts(names) as made:
        by_name: dict[str, LinkedHost | LocalHost] = dict(zip(names, made, strict=True))
        with (
            durable_postgresql(by_name["postgresql"]) as database,
            valkey(by_name["valkey"]) as broker,
        ):
            systems = [_system(folder / name, by_name[name], database, broker) for name in NAMES]
            cluster = Cluster(by_name, database, broker, systems)
            try:
                for process in cluster.processes:
                    process.start(ready=False)
                for process in cluster.processes:
                    process.wait_ready()
                yield cluster
                statuses = [process.stop() for process in cluster.processes]
                assert statuses == [0] * len(statuses), "".join(system.logs() for system in systems)
            finally:
                for process in cluster.processes:
                    process.kill_if_running()


def _system(
    folder: Path, host: LinkedHost | LocalHost, database: PostgresqlServer, broker: ValkeyServer
) -> System:
    """With a folder and settings of its own."""
    folder.mkdir()
    environ = {
        "TASKBEAM_DATABASE_URL": f"{database.url}?data={folder}/var",
        "TASKBEAM_EVENTS_URL": broker.url,
        "TASKBEAM_MESSAGES_PER_SECOND": "0",
    }
    return System(folder, environ, host=host)
