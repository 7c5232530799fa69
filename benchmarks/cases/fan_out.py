"""1,000 sockets of one user and one more that writes: each next write is sent when the last socket has the one before. The
raw loop is `broadcast()` of `websockets`, which relays a message of the same length without storing it. For the last
delivery's p99 there is a pause after each write, in which the machine is idle."""

from __future__ import annotations

import asyncio
import itertools
from time import perf_counter
from typing import Final, NamedTuple

from benchmarks.cases import Effort
from benchmarks.cases.websocket import create
from benchmarks.closed_loop import UnexpectedAnswer
from benchmarks.figures import Spread, percentile, ratios
from benchmarks.report import number
from benchmarks.results import Findings, Table
from benchmarks.seed import add_users
from benchmarks.servers import access_token, baseline, data_folder, settings_of, system
from benchmarks.websocket_load import Client, connect, connect_all
from shared.store import open_store

_SOCKETS: Final = 1000
_WRITES: Final = 40  # of one window
_PACED_WRITES: Final = 200
_PAUSE_SECONDS: Final = 0.03
_DELIVERY_SECONDS: Final = 10.0


class _FanOut:
    """The sockets of one server, and the one that writes; ``message`` makes what it sends."""

    def __init__(self, sockets: list[Client], writer: Client) -> None:
        self._sockets = sockets
        self._writer = writer
        for socket in sockets:
            socket.on_answer = self._delivered

    def _delivered(self, _: Client, frame: bytes) -> None:
        self._missing -= 1
        if self._missing == 0:
            self._last = perf_counter()
            self._all.set()

    async def write(self, message: bytes) -> float:
        """Seconds to the last delivery."""
        self._missing, self._all = len(self._sockets), asyncio.Event()
        sent = perf_counter()
        self._writer.send(message)
        try:
            async with asyncio.timeout(_DELIVERY_SECONDS):
                await self._all.wait()
        except TimeoutError:
            raise UnexpectedAnswer(b"%d deliveries are missing" % self._missing) from None
        return self._last - sent


class _Paired(NamedTuple):
    rates: list[float]
    base_rates: list[float]
    last: list[float]


async def measure(effort: Effort) -> Findings:
    with data_folder() as folder:
        async with open_store(settings_of(folder)) as store:
            await add_users(store, 1)
        with system(folder, effort.cores) as ours, baseline(folder, effort.cores, "broadcast") as raw:
            token = access_token(1)
            writer = await connect(ours.ws_url, token, push=False)
            stored = await writer.ask(create(writer, b""))
            own = _FanOut(await connect_all(ours.ws_url, [token] * _SOCKETS), writer)
            base = _FanOut(
                await connect_all(raw.ws_url, [token] * _SOCKETS), await connect(raw.ws_url, token)
            )
            found = await _pairs(effort, own, base, stored, writer)
    findings = Findings()
    findings.at_least(
        "fan-out to 1,000 sockets, to the raw loop", 0.95, ratios(found.rates, found.base_rates)
    )
    last = sorted(found.last)
    p50, p99 = percentile(last, 0.5) * 1e3, percentile(last, 0.99) * 1e3
    findings.at_most("last of 1,000 deliveries, p99", 25.0, "ms", Spread(p99, p99, p99))
    rows = [
        ["deliveries a second", number(Spread.of(found.rates).median)],
        ["deliveries a second, raw loop", number(Spread.of(found.base_rates).median)],
        ["last delivery p50, ms", number(p50)],
    ]
    findings.tables.append(Table("Absolute figures", ["", ""], rows))
    return findings


async def _pairs(effort: Effort, own: _FanOut, base: _FanOut, stored: bytes, writer: Client) -> _Paired:
    paired = _Paired([], [], [])
    for turn in range(effort.rounds + 1):
        rate = await _rate(own, itertools.repeat(create(writer, b""), _WRITES))
        base_rate = await _rate(base, itertools.repeat(stored, _WRITES))
        if turn:
            paired.rates.append(rate)
            paired.base_rates.append(base_rate)
    for _ in range(_PACED_WRITES):
        paired.last.append(await own.write(create(writer, b"")))
        await asyncio.sleep(_PAUSE_SECONDS)
    return paired


async def _rate(fan_out: _FanOut, messages: itertools.repeat[bytes]) -> float:
    """Deliveries a second, one write after the other."""
    started = perf_counter()
    writes = [await fan_out.write(message) for message in messages]
    return _SOCKETS * len(writes) / (perf_counter() - started)
