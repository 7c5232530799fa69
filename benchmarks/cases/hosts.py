"""Three hosts on one PostgreSQL, as processes of this machine: a gateway and a worker each, with settings and a folder of their own.
A task is posted to the first host, and a socket of the third waits for it, one write after the other: with hints over Valkey, and
over PostgreSQL itself (`NOTIFY`). All processes of the hosts share a core; PostgreSQL and Valkey may use both."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

from benchmarks.cases import Effort
from benchmarks.cases.cross_process import delivery_delays
from benchmarks.cases.rest import posts
from benchmarks.databases import postgresql, valkey
from benchmarks.figures import Spread, percentile
from benchmarks.http_load import connect as connect_http
from benchmarks.report import number
from benchmarks.results import Findings, Table
from benchmarks.seed import add_users, open_store
from benchmarks.servers import System, access_token, data_folder, settings_of, system
from benchmarks.websocket_load import connect

DELAYS: Final = "From the POST"
"""The title of a table."""

_SOCKET, _ANSWER = "to the socket", "to the answer"
_HOSTS: Final = 3
_WRITES: Final = 300  # of one round
_WARM_UP: Final = 50


def is_delivery(row: str) -> bool:
    """Of that table; the others are answers."""
    return row.startswith(_SOCKET)


async def measure(effort: Effort) -> Findings:
    found = Findings()
    rows = []
    with ExitStack() as stack:
        server = stack.enter_context(postgresql(effort.cores))
        broker = stack.enter_context(valkey(effort.cores))
        for carrier, events_url in (("Valkey", broker), ("PostgreSQL", "")):
            with ExitStack() as hosts:
                url = await server.make_database(f"over_{carrier.lower()}")
                delays, answers = await _rounds(effort, hosts, url, events_url)
            p50, p99 = _percentiles(delays)
            what = f"write on one host to a socket on another, over {carrier}"
            found.at_most(f"{what}, p50", 5.0, "ms", p50)
            found.at_most(f"{what}, p99", 25.0, "ms", p99)
            for end, spreads in ((_SOCKET, (p50, p99)), (_ANSWER, _percentiles(answers))):
                rows.append([f"{end}, over {carrier}", *[number(spread.median) for spread in spreads]])
    found.tables.append(Table(DELAYS, ["", "p50, ms", "p99, ms"], rows))
    return found


def _percentiles(rounds: Sequence[Sequence[float]]) -> tuple[Spread, Spread]:
    """The 50th and the 99th over the rounds, in milliseconds."""
    p50, p99 = (Spread.of([percentile(delays, part) * 1e3 for delays in rounds]) for part in (0.5, 0.99))
    return p50, p99


async def _rounds(
    effort: Effort, hosts: ExitStack, url: str, events_url: str
) -> tuple[list[list[float]], list[list[float]]]:
    """Of each round the seconds to the socket, and those to the answer of the POST."""
    started: list[System] = []
    for _ in range(_HOSTS):
        folder = hosts.enter_context(data_folder())
        settings = {"DATABASE_URL": f"{url}?data={folder}", "EVENTS_URL": events_url}
        if not started:
            async with open_store(settings_of(folder, **settings)) as store:
                await add_users(store, 1)
        started.append(hosts.enter_context(system(folder, effort.cores, settings)))
    token = access_token(1)
    (poster,) = await connect_http(started[0].rest_port, 1)
    socket = await connect(started[-1].ws_url, token)
    request = posts("/", token)(poster, b"")
    await delivery_delays(poster, socket, request, _WARM_UP)
    rounds = [await delivery_delays(poster, socket, request, _WRITES) for _ in range(effort.rounds)]
    poster.close()
    socket.close()
    return [delays for delays, _ in rounds], [answers for _, answers in rounds]
