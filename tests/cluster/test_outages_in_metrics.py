"""What is away shows at once: without its database a process is not ready, without its broker it only says so in the metrics."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from pathlib import Path

from shared.metrics.catalogue import CARRIER_CONNECTED, FEED_LAG_SECONDS
from tests.support.clients import connected, new_account
from tests.support.postgresql import durable_postgresql
from tests.support.processes import System, running
from tests.support.valkey import valkey
from tests.support.waiting import until


def _values(system: System, name: str) -> list[float]:
    """Of each process."""
    with urllib.request.urlopen(f"{system.rest_url}/metrics", timeout=5) as answer:
        lines: list[str] = answer.read().decode().splitlines()
    return [float(line.split()[-1]) for line in lines if line.startswith(f"{name}{{")]


def _all(system: System, name: str, is_so: Callable[[float], bool]) -> Callable[[], bool]:
    """Whether that metric is so in both processes."""

    def look() -> bool:
        values = _values(system, name)
        return len(values) == 2 and all(is_so(value) for value in values)

    return look


def _statuses(system: System) -> list[int]:
    return [process.readiness() for process in system.processes]


async def test_processes_without_broker_are_ready_and_without_database_are_not(tmp_path: Path) -> None:
    with (
        durable_postgresql() as database,
        valkey() as broker,
        running(
            tmp_path, DATABASE_URL=f"{database.url}?data={tmp_path}/var", EVENTS_URL=broker.url
        ) as system,
    ):
        connects = CARRIER_CONNECTED.name
        async with connected(system, new_account(system).access):
            await until(_all(system, connects, lambda value: value == 1), 30, "hints come")
            broker.stop()
            await until(_all(system, connects, lambda value: value == 0), 30, "no hints come")
            assert _statuses(system) == [200, 200]
            broker.start()
            await until(_all(system, connects, lambda value: value == 1), 30, "hints come again")
            database.stop()
            await until(lambda: _statuses(system) == [503, 503], 30, "neither is ready")
            await until(
                lambda: max(_values(system, FEED_LAG_SECONDS.name)) > 0, 30, "who has sockets is behind"
            )
            database.start()
            await until(lambda: _statuses(system) == [200, 200], 30, "both are ready")
            await until(_all(system, FEED_LAG_SECONDS.name, lambda value: value == 0), 30, "nobody is behind")
