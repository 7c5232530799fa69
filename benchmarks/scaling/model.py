"""The model: from a number of open sockets to processes, machines and traffic. Pure: no measuring, no text."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from benchmarks.scaling.costs import Costs
from shared.settings import Settings
from shared.store.postgres.pool import CONNECTIONS_MAX


class Workload(NamedTuple):
    """What is assumed of users. Rates are averages over a busy hour; all is sized for ``peak`` times as much."""

    sockets_of_user: float = 2
    changes_of_user_an_hour: float = 10
    connects_of_socket_an_hour: float = 2
    logins_of_user_a_day: float = 1
    users_of_connected: float = 5
    """Accounts for each user who is connected."""
    tasks_of_user: float = 200
    """And as many changes in the log."""
    peak: float = 3


class Machines(NamedTuple):
    """What is bought. Cores are planned to be busy for ``busy`` of the time, and memory to be used for as much."""

    cores: int = 16
    memory: float = 64 * 2**30
    database_cores: int = 64
    kernel_memory_of_socket: float = 8 * 1024
    """At the machine with the process: assumed, not measured."""
    busy: float = 0.5
    database_connections: int = 500


class Demand(NamedTuple):
    """What a number of open sockets needs. Rates are a second's; CPU in cores; sizes in bytes."""

    sockets: float
    users: float
    changes: float
    pushes: float
    connects: float
    logins: float
    followed: float
    worker_cpu: float
    workers: int
    gateway_cpu: float
    gateways: int
    memory: float
    machines: int
    transactions: float
    database_cpu: float
    database_log: float
    database_size: float
    database_connections: int
    databases: int
    hints_in: float
    hints_out: float
    hint_traffic: float
    broker_cpu: float
    broker_memory: float
    brokers: int


class Model(NamedTuple):
    costs: Costs
    login_cpu: float
    workload: Workload = Workload()
    machines: Machines = Machines()

    def demand(self, sockets: float) -> Demand:
        """Of that many open sockets, spread evenly."""
        costs, work, machines = self.costs, self.workload, self.machines
        users = sockets / work.sockets_of_user
        changes = users * work.changes_of_user_an_hour / 3600 * work.peak
        connects = sockets * work.connects_of_socket_an_hour / 3600 * work.peak
        logins = users * work.logins_of_user_a_day / 86400 * work.peak

        def servers_of_user(workers: int) -> float:
            """How many servers have a socket of one user."""
            return workers * (1 - math.pow(1 - 1 / workers, work.sockets_of_user))

        def cpu(workers: int) -> float:
            others = servers_of_user(workers) - 1  # than that of the socket that writes
            pushes = work.sockets_of_user - 1 - others  # beside the first of each server
            return (
                workers * costs.worker_cpu
                + sockets * costs.socket_cpu
                + connects * costs.connect_cpu
                + changes * (costs.create_cpu + others * costs.hint_cpu + pushes * costs.push_cpu)
            )

        workers = _least(
            lambda count: (
                cpu(count) <= count * machines.busy and sockets <= count * Settings().max_connections
            )
        )
        gateway_cpu = logins * self.login_cpu
        gateways = max(2, math.ceil(gateway_cpu / machines.busy))
        processes = workers + gateways
        followed = users * servers_of_user(workers)
        memory = processes * costs.worker_memory + sockets * (
            costs.socket_memory + machines.kernel_memory_of_socket
        )
        database_cpu = (
            processes * costs.database_process_cpu
            + followed * costs.database_followed_cpu
            + connects * costs.database_connect_cpu
            + changes * costs.database_create_cpu
        )
        hints_out = changes * servers_of_user(workers)  # the server that sends one has followers, too
        broker_cpu = changes * costs.broker_publish_cpu + (hints_out - changes) * costs.broker_delivery_cpu
        return Demand(
            sockets=sockets,
            users=users,
            changes=changes,
            pushes=changes * work.sockets_of_user,
            connects=connects,
            logins=logins,
            followed=followed,
            worker_cpu=cpu(workers),
            workers=workers,
            gateway_cpu=gateway_cpu,
            gateways=gateways,
            memory=memory,
            machines=1  # may be away
            + max(math.ceil(processes / machines.cores), math.ceil(memory / machines.memory / machines.busy)),
            transactions=changes,
            database_cpu=database_cpu,
            database_log=changes * costs.database_create_log,
            database_size=users * work.users_of_connected * work.tasks_of_user * costs.database_create_size,
            database_connections=processes * CONNECTIONS_MAX,
            databases=math.ceil(database_cpu / machines.database_cores / machines.busy),
            hints_in=changes,
            hints_out=hints_out,
            hint_traffic=(changes + hints_out) * costs.hint_size,
            broker_cpu=broker_cpu,
            broker_memory=followed * costs.broker_followed_memory,
            brokers=math.ceil(broker_cpu / machines.busy),
        )

    def sockets_at(self, is_within: Callable[[Demand], bool]) -> float:
        """The greatest number of sockets with which a condition holds, to three digits."""
        low, high = 1.0, 1e12
        while high / low > 1.0005:
            middle = math.sqrt(low * high)
            low, high = (middle, high) if is_within(self.demand(middle)) else (low, middle)
        return low


def _least(is_enough: Callable[[int], bool]) -> int:
    """The least number of servers, and two at least: one may fail."""
    high = 2
    while not is_enough(high):
        high *= 2
    low = high // 2
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high
