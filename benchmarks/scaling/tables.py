"""The tables of docs/explanation/scaling.md, from the kept costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from benchmarks.report import number
from benchmarks.scaling.costs import Measured, load, login_cpu
from benchmarks.scaling.model import Demand, Machines, Model, Workload
from shared.feed.redis_servers import PARTITIONS
from shared.settings import Settings

_SOCKETS: Final = (10_000, 1_000_000, 100_000_000)
_TIMES: Final = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))
_SIZES: Final = (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("KB", 1e3), ("bytes", 1))


def model() -> Model:
    """With the kept costs."""
    return Model(load().costs, login_cpu())


def cost_rows() -> list[str]:
    """What one of each takes, and whether it was taken on a busy machine."""
    measured = load()
    costs = measured.costs
    rows = {
        "an idle socket, with a user of its own": (
            _cpu(costs.socket_cpu, " a second"),
            _size(costs.socket_memory),
        ),
        "a WebSocket server without sockets": (
            _cpu(costs.worker_cpu, " a second"),
            _size(costs.worker_memory),
        ),
        "a socket that connects": (_cpu(costs.connect_cpu), ""),
        "a create, at the server that is asked": (_cpu(costs.create_cpu), ""),
        "a hint at another server, and the push to one socket": (_cpu(costs.hint_cpu), ""),
        "the push to one more socket of that server": (_cpu(costs.push_cpu), ""),
        "PostgreSQL: a create, in a commit of its own": (
            _cpu(costs.database_create_cpu),
            f"{_size(costs.database_create_log)} of log, {_size(costs.database_create_size)} of tables",
        ),
        "PostgreSQL: a socket that connects": (_cpu(costs.database_connect_cpu), ""),
        "PostgreSQL: a user who has sockets at a server": (
            _cpu(costs.database_followed_cpu, " a second"),
            "",
        ),
        "PostgreSQL: a process that has nothing to do": (_cpu(costs.database_process_cpu, " a second"), ""),
        "Valkey: a hint that goes to one server": (_cpu(costs.broker_publish_cpu), _size(costs.hint_size)),
        "Valkey: to each further server": (_cpu(costs.broker_delivery_cpu), _size(costs.hint_size)),
        "Valkey: a user who has sockets at a server": ("", _size(costs.broker_followed_memory)),
        "a login, at a gateway": (_cpu(login_cpu()), ""),
    }
    return [
        _taken(measured),
        "",
        "| what | CPU | bytes |",
        "|---|---|---|",
        *(f"| {what} | {cpu or '–'} | {size or '–'} |" for what, (cpu, size) in rows.items()),
    ]


def check_rows() -> list[str]:
    rows = ["| what | predicted | measured | deviation |", "|---|---|---|---|"]
    return rows + [
        f"| {check.what} | {number(check.predicted)} {check.unit} | {number(check.measured)} {check.unit} | "
        f"{check.deviation:+.0%} |"
        for check in load().checks
    ]


def assumption_rows() -> list[str]:
    work, machines = Workload(), Machines()
    rows = {
        "sockets of a user who is connected": f"{work.sockets_of_user:g}",
        "changes of such a user an hour": f"{work.changes_of_user_an_hour:g}",
        "connects of a socket an hour": f"{work.connects_of_socket_an_hour:g}",
        "logins of such a user a day": f"{work.logins_of_user_a_day:g}",
        "accounts for each user who is connected": f"{work.users_of_connected:g}",
        "tasks of an account, and as many changes in the log": f"{work.tasks_of_user:g}",
        "the busiest minute, to the average of the hour": f"{work.peak:g} ×",
        "a machine of the processes": f"{machines.cores} cores, {machines.memory / 2**30:g} GiB",
        "PostgreSQL's machine": f"{machines.database_cores} cores",
        "planned to be busy": f"{machines.busy:.0%}",
        "memory of the kernel for a socket": _size(machines.kernel_memory_of_socket),
        "sockets of a WebSocket server, at most (`MAX_CONNECTIONS`)": f"{Settings().max_connections:,}",
    }
    return ["| assumed | |", "|---|---|", *(f"| {what} | {value} |" for what, value in rows.items())]


def demand_rows() -> list[str]:
    demands = [model().demand(sockets) for sockets in _SOCKETS]
    shown: dict[str, Callable[[Demand], str]] = {
        "users who are connected": lambda of: _count(of.users),
        "changes a second": lambda of: number(of.changes),
        "pushes a second": lambda of: number(of.pushes),
        "connects a second": lambda of: number(of.connects),
        "**WebSocket servers**": lambda of: f"{of.workers:,}",
        "CPU of these": lambda of: _cores(of.worker_cpu),
        "**gateways**, for the logins": lambda of: f"{of.gateways:,}",
        "**memory** of these processes and their sockets": lambda of: _size(of.memory),
        "**machines** for them, and one more": lambda of: f"{of.machines:,}",
        "**PostgreSQL**: commits a second": lambda of: number(of.transactions),
        "CPU of PostgreSQL": lambda of: _cores(of.database_cpu),
        "its log, a second": lambda of: _size(of.database_log),
        "its tables and indexes": lambda of: _size(of.database_size),
        "connections to it, or to PgBouncer": lambda of: f"{of.database_connections:,}",
        "servers of PostgreSQL": lambda of: f"{of.databases:,}",
        "**Valkey**: hints in and out a second": lambda of: f"{number(of.hints_in)}, {number(of.hints_out)}",
        "its traffic, a second": lambda of: _size(of.hint_traffic),
        "CPU of Valkey": lambda of: _cores(of.broker_cpu),
        "memory of Valkey": lambda of: _size(of.broker_memory),
        "servers of Valkey, of one core each": lambda of: f"{of.brokers:,}",
    }
    head = " | ".join(f"{sockets:,}" for sockets in _SOCKETS)
    rows = [f"| open sockets | {head} |", "|---|" + "---|" * len(_SOCKETS)]
    return rows + [
        f"| {what} | {' | '.join(show(demand) for demand in demands)} |" for what, show in shown.items()
    ]


def limit_rows() -> list[str]:
    """Up to how many sockets one of each is enough."""
    found, machines = model(), Machines()
    limits: dict[str, Callable[[Demand], bool]] = {
        "two WebSocket servers, each busy for half of a core": lambda of: of.workers <= 2,
        f"two machines of {machines.cores} cores, of which one may be away": lambda of: of.machines <= 2,
        f"{machines.database_connections} connections of PostgreSQL, without PgBouncer": lambda of: (
            of.database_connections <= machines.database_connections
        ),
        "one Valkey, busy for half of a core": lambda of: of.brokers <= 1,
        f"one PostgreSQL, busy for half of {machines.database_cores} cores": lambda of: of.databases <= 1,
        f"a Valkey cluster of {PARTITIONS} servers": lambda of: of.brokers <= PARTITIONS,
    }
    rows = ["| enough for | open sockets |", "|---|---|"]
    return rows + [f"| {what} | {_count(found.sockets_at(within))} |" for what, within in limits.items()]


TABLES: Final[Mapping[str, Callable[[], list[str]]]] = {
    "scaling costs": cost_rows,
    "scaling checks": check_rows,
    "scaling assumptions": assumption_rows,
    "scaling demand": demand_rows,
    "scaling limits": limit_rows,
}
"""By their names on the page."""


def _taken(measured: Measured) -> str:
    words = f"Taken {measured.taken} on {measured.machine}; by `python -m benchmarks.scaling --measure`."
    return f"{words} Other processes took {measured.other_load:.0%} of the machine meanwhile."


def _cpu(seconds: float, each: str = "") -> str:
    rounded = float(f"{seconds:.2g}")
    unit, size = next(((unit, size) for unit, size in _TIMES if rounded >= size), _TIMES[-1])
    return f"{float(f'{rounded / size:.2g}'):g} {unit}{each}"


def _cores(cores: float) -> str:
    return f"{number(cores)} cores"


def _size(size: float) -> str:
    for unit, of in _SIZES:
        if size >= of:
            return f"{float(f'{size / of:.2g}'):g} {unit}"
    return "0"


def _count(count: float) -> str:
    """Two digits, in millions where there are some."""
    rounded = float(f"{count:.2g}")
    return f"{rounded / 1e6:g} million" if rounded >= 1e6 else f"{rounded:,.0f}"
