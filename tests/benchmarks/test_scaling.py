"""The model of many machines: it follows from its costs, agrees with what was measured, and its measurement runs."""

from __future__ import annotations

import os
from typing import Any, Final

import msgspec
import pytest

from benchmarks.machine import Cores
from benchmarks.scaling import costs, measure
from benchmarks.scaling.costs import Check, Costs
from benchmarks.scaling.model import Model, Workload
from shared.settings import Settings

_COSTS: Final = Costs(
    worker_cpu=0.001,
    worker_memory=30e6,
    socket_cpu=4e-6,
    socket_memory=5000,
    connect_cpu=500e-6,
    create_cpu=600e-6,
    hint_cpu=100e-6,
    push_cpu=10e-6,
    database_process_cpu=0.0005,
    database_followed_cpu=0.5e-6,
    database_connect_cpu=100e-6,
    database_create_cpu=500e-6,
    database_create_log=1300,
    database_create_size=950,
    broker_followed_memory=250,
    broker_publish_cpu=40e-6,
    broker_delivery_cpu=5e-6,
    hint_size=430,
)
_MODEL: Final = Model(_COSTS, login_cpu=0.3)


def test_the_rates_are_those_of_the_workload() -> None:
    work = Workload(
        sockets_of_user=2,
        changes_of_user_an_hour=36,
        connects_of_socket_an_hour=3.6,
        logins_of_user_a_day=0.864,
        peak=2,
    )
    demand = _MODEL._replace(workload=work).demand(1_000_000)
    assert demand.users == 500_000
    assert demand.changes == demand.transactions == demand.hints_in == pytest.approx(10_000)
    assert demand.pushes == pytest.approx(20_000)
    assert demand.connects == pytest.approx(2000)
    assert demand.logins == pytest.approx(10)
    assert demand.gateway_cpu == pytest.approx(3)
    assert demand.gateways == 6


def test_servers_are_as_many_as_their_cpu_or_their_sockets_need() -> None:
    assert _MODEL.demand(10).workers == 2
    demand = _MODEL._replace(workload=Workload(changes_of_user_an_hour=60)).demand(3_000_000)
    busy = _MODEL.machines.busy
    assert (demand.workers - 1) * busy < demand.worker_cpu <= demand.workers * busy
    idle = _MODEL._replace(
        workload=Workload(changes_of_user_an_hour=0, connects_of_socket_an_hour=0, logins_of_user_a_day=0)
    )
    assert idle.demand(3_000_000).workers == 3_000_000 / Settings().max_connections


def test_a_hint_goes_where_a_user_has_sockets() -> None:
    alone = _MODEL._replace(workload=Workload(sockets_of_user=1)).demand(1_000_000)
    assert alone.hints_out == pytest.approx(alone.changes)
    assert alone.followed == pytest.approx(alone.users)
    two = _MODEL.demand(10_000_000)
    assert two.hints_out == pytest.approx(2 * two.changes, rel=0.01), (
        "hardly ever at the same of many servers"
    )
    few = _MODEL.demand(1000)
    assert few.workers == 2
    assert few.hints_out == pytest.approx(1.5 * few.changes)


def test_twice_the_sockets_take_twice_of_all() -> None:
    """But for a part of a machine."""
    for once, twice in zip(_MODEL.demand(5e7), _MODEL.demand(1e8), strict=True):
        assert twice == pytest.approx(2 * once, rel=0.03, abs=1)


def test_the_number_of_sockets_at_a_limit_is_the_last_within_it() -> None:
    limit = _MODEL.sockets_at(lambda demand: demand.brokers <= 1)
    assert _MODEL.demand(limit * 0.999).brokers == 1
    assert _MODEL.demand(limit * 1.002).brokers == 2


def test_the_model_agrees_with_what_was_measured_elsewhere() -> None:
    """As the page says: memory and traffic closely, CPU within a factor of two."""
    kept = costs.load()
    assert len(kept.checks) >= 5
    for check in kept.checks:
        bound = 1.0 if "CPU" in check.unit else 0.15
        assert 1 / (1 + bound) <= check.measured / check.predicted <= 1 + bound, check
    assert all(value > 0 for value in msgspec.structs.astuple(kept.costs))


def test_a_deviation_is_a_share_of_what_was_predicted() -> None:
    assert Check("memory", "MB", 8.0, 10.0).deviation == pytest.approx(0.25)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few of each that the costs mean nothing."""
    few: dict[str, Any] = {
        "SOCKETS": 40,
        "SOCKETS_CHECKED": 20,
        "CONNECTS": 10,
        "WRITERS": 5,
        "USERS": 80,
        "ROUNDS": 1,
        "REST_SECONDS": 0.5,
        "IDLE_SECONDS": 0.5,
        "WRITE_SECONDS": 0.5,
        "CHECKED_SECONDS": 0.5,
        "SETTLE_SECONDS": 0.2,
    }
    for name, value in few.items():
        monkeypatch.setattr(measure, f"_{name}", value)


async def test_the_measurement_runs(quick: None) -> None:
    core, *others = sorted(os.sched_getaffinity(0))
    measured = await measure.measure(Cores(core, (others or [core])[0]))
    found = measured.costs
    assert found.worker_memory > 10e6
    assert min(found.create_cpu, found.connect_cpu, found.database_create_cpu, found.broker_publish_cpu) > 0
    assert 200 < found.hint_size < 2000
    assert found.database_create_log > 200
    assert [check.unit for check in measured.checks].count("ms of CPU a second") == 3
