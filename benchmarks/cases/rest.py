"""32 keep-alive connections of one user, each with one request in flight. The raw aiohttp handler always sends the bytes that
the gateway sent once, headers included, and checks nothing; for POST it reads the body. The list has exactly 50 tasks,
whole and with `limit=50`. Nobody writes to it meanwhile, so that it is cached after its first read;
`python -m benchmarks.comparisons` measures what reading it costs."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Final

from benchmarks.cases import Effort
from benchmarks.closed_loop import ClosedLoop, Window, alternate
from benchmarks.figures import ratios
from benchmarks.http_load import HttpClient, body, connect, request
from benchmarks.report import rate_table
from benchmarks.results import Findings
from benchmarks.seed import DESCRIPTION, add_tasks, add_users, open_store
from benchmarks.servers import access_token, baseline, data_folder, settings_of, system
from benchmarks.websocket_load import uuids

CONNECTIONS: Final = 32
OK: Final = b"HTTP/1.1 20"
_LISTED: Final = 50
_LISTER, _WRITER = 1, 2  # two users, so that the list keeps its 50 tasks

_numbers = itertools.count()

Requests = Callable[[HttpClient, bytes], bytes]


def always(same: bytes) -> Requests:
    return lambda _, __: same


def posts(path: str, token: str, scheme: str = "Bearer ") -> Requests:
    """Create requests, each with a different text of the same length."""
    whole = request("POST", path, token, new_task(0), scheme)
    head = whole[: -len(new_task(0))]
    return lambda _, __: head + new_task(next(_numbers) % 10**8)


def new_task(number: int) -> bytes:
    return b'{"task":"Task n=%08d;","description":"%b"}' % (number, DESCRIPTION.encode())


async def measure(effort: Effort) -> Findings:
    found = Findings()
    windows: dict[str, list[Window]] = {}
    with data_folder() as folder:
        async with open_store(settings_of(folder)) as store:
            await add_users(store, 2)
            await add_tasks(store, range(_LISTER, _LISTER + 1), _LISTED)
        with system(folder, effort.cores) as ours:
            lister, writer = access_token(_LISTER), access_token(_WRITER)
            (probe,) = await connect(ours.rest_port, 1)
            listed = uuids(body(await probe.ask(request("GET", "/", lister))))
            probe.close()
            path = f"/task/{listed[0]}/"
            points: list[tuple[str, float, str, str, Requests]] = [
                ("GET one task", 0.60, "GET", path, always(request("GET", path, lister))),
                ("POST", 0.40, "POST", "/", posts("/", writer)),
                ("list of 50", 0.40, "GET", "/", always(request("GET", "/", lister))),
                ("list of 50, limit=50", 0.40, "GET", "/", always(request("GET", "/?limit=50", lister))),
            ]
            for what, bound, method, route, requests in points:
                sample = folder / "answer"
                (probe,) = await connect(ours.rest_port, 1)
                sample.write_bytes(await probe.ask(requests(probe, b"")))
                probe.close()
                with baseline(folder, effort.cores, "aiohttp_raw", str(sample), method, route) as raw:
                    theirs = await connect(raw.port, CONNECTIONS)
                    clients = await connect(ours.rest_port, CONNECTIONS)
                    base, own = await alternate(
                        effort.rounds,
                        effort.seconds,
                        [
                            ClosedLoop(theirs, requests, OK, [raw.pid]),
                            ClosedLoop(clients, requests, OK, [ours.rest_pid]),
                        ],
                    )
                    for client in (*theirs, *clients):
                        client.close()
                ratio = ratios([window.rate for window in own], [window.rate for window in base])
                found.at_least(f"{what}, to raw aiohttp", bound, ratio, base, own)
                windows |= {what: own, f"{what}, raw aiohttp": base}
    found.tables.append(rate_table(windows))
    return found
