"""What one of each takes, as it was measured, and the points at which the model was checked: ``results/scaling.json``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from benchmarks import results

KEPT: Final = Path(results.__file__).parent / "results" / "scaling.json"


class Costs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """CPU in seconds of a core, memory and traffic in bytes. *Followed*: a user, at a WebSocket server with a socket of theirs."""

    worker_cpu: float
    """Of a WebSocket server that has no sockets, each second."""
    worker_memory: float
    socket_cpu: float
    """Of an idle socket, each second."""
    socket_memory: float
    connect_cpu: float
    create_cpu: float
    """At the server of the socket that asks."""
    hint_cpu: float
    """At another server: a hint, and the push to one socket."""
    push_cpu: float
    """To each further socket."""
    database_process_cpu: float
    """For a process that has nothing to do, each second."""
    database_followed_cpu: float
    """For each followed user, each second."""
    database_connect_cpu: float
    database_create_cpu: float
    """Of a commit of its own."""
    database_create_log: float
    """Of the write-ahead log."""
    database_create_size: float
    """Of tables and indexes: the task, and the change."""
    broker_followed_memory: float
    broker_publish_cpu: float
    """Of a hint that goes to one server."""
    broker_delivery_cpu: float
    """To each further server."""
    hint_size: float


class Check(msgspec.Struct, frozen=True):
    """One point at which the costs were not taken."""

    what: str
    unit: str
    predicted: float
    measured: float

    @property
    def deviation(self) -> float:
        """Of the measured from the predicted, as a share of the predicted."""
        return self.measured / self.predicted - 1


class Measured(msgspec.Struct, frozen=True):
    """``other_load``: the share of the machine that other processes took meanwhile."""

    costs: Costs
    checks: list[Check]
    taken: str
    machine: str
    other_load: float


def load() -> Measured:
    return msgspec.json.decode(KEPT.read_bytes(), type=Measured)


def save(measured: Measured) -> None:
    KEPT.write_bytes(msgspec.json.format(msgspec.json.encode(measured), indent=1) + b"\n")


def login_cpu() -> float:
    """Seconds of a core for one login, as the performance page has it: nearly all of it is the password's hash."""
    tables = results.load().cases["passwords"].tables
    (rate,) = (row[1] for table in tables for row in table.rows if row[0] == "logins a second")
    return 1 / float(rate)
