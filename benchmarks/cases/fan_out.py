"""1,000 sockets of one user, and one more that writes. The raw loop is `broadcast()` of `websockets`, which relays the same
frames without storing anything. With four writes in flight, a commit can run while earlier changes are delivered. With
one, which waits for the last socket, the durable commit is part of each round trip. For the p99 of the last delivery
there is a pause after each write, in which the machine is idle."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Final

from benchmarks.cases import Effort
from benchmarks.cases.websocket import create
from benchmarks.closed_loop import UnexpectedAnswer
from benchmarks.figures import Spread, percentile, ratios
from benchmarks.report import number
from benchmarks.results import Findings, Table
from benchmarks.seed import add_users, open_store
from benchmarks.servers import access_token, baseline, data_folder, settings_of, system
from benchmarks.websocket_load import Client, connect, connect_all

_SOCKETS: Final = 1000
_WRITES: Final = 40  # of one window
_PACED_WRITES: Final = 200
_PAUSE_SECONDS: Final = 0.03
_DELIVERY_SECONDS: Final = 10.0


class _FanOut:
    """The sockets of one server, and the socket that writes."""

    def __init__(self, sockets: list[Client], writer: Client) -> None:
        self._sockets = sockets
        self._writer = writer
        self._deliveries = self._awaited = 0
        for socket in sockets:
            socket.on_answer = self._delivered

    def _delivered(self, _: Client, __: bytes) -> None:
        self._deliveries += 1
        if self._deliveries == self._awaited:
            self._last = perf_counter()
            self._there.set()

    async def _delivered_to_all(self, writes: int) -> None:
        self._awaited, self._there = writes * len(self._sockets), asyncio.Event()
        if self._deliveries >= self._awaited:
            return
        try:
            async with asyncio.timeout(_DELIVERY_SECONDS):
                await self._there.wait()
        except TimeoutError:
            raise UnexpectedAnswer(
                b"%d deliveries are missing" % (self._awaited - self._deliveries)
            ) from None

    async def delay(self, message: bytes) -> float:
        """Seconds from a write to the last delivery."""
        self._deliveries = 0
        sent = perf_counter()
        self._writer.send(message)
        await self._delivered_to_all(1)
        return self._last - sent

    async def rate(self, message: bytes, in_flight: int) -> float:
        """Deliveries per second with ``in_flight`` writes at a time."""
        self._deliveries = 0
        started = perf_counter()
        for sent in range(1, _WRITES + 1):
            self._writer.send(message)
            await self._delivered_to_all(sent - in_flight + 1)
        await self._delivered_to_all(_WRITES)
        return self._deliveries / (perf_counter() - started)


async def measure(effort: Effort) -> Findings:
    found = Findings()
    rows = []
    with data_folder() as folder:
        async with open_store(settings_of(folder)) as store:
            await add_users(store, 1)
        with system(folder, effort.cores) as ours, baseline(folder, effort.cores, "broadcast") as raw:
            token = access_token(1)
            writer = await connect(ours.ws_url, token, push=False)
            message = create(writer, b"")
            frame = await writer.ask(message)
            own = _FanOut(await connect_all(ours.ws_url, [token] * _SOCKETS), writer)
            raw_writer = await connect(raw.ws_url, token)
            base = _FanOut(await connect_all(raw.ws_url, [token] * _SOCKETS), raw_writer)
            for in_flight, words in ((4, "four writes in flight"), (1, "one write after the other")):
                rates, base_rates = [], []
                for number_ in range(effort.rounds + 1):
                    rate, base_rate = await own.rate(message, in_flight), await base.rate(frame, in_flight)
                    if number_:
                        rates.append(rate)
                        base_rates.append(base_rate)
                found.at_least(f"fan-out to 1,000 sockets, {words}", 0.95, ratios(rates, base_rates))
                medians = [number(Spread.of(one).median) for one in (rates, base_rates)]
                rows.append([f"deliveries a second, {words}", *medians])
            last = []
            for _ in range(_PACED_WRITES):
                last.append(await own.delay(message))
                await asyncio.sleep(_PAUSE_SECONDS)
    last.sort()
    p50, p99 = percentile(last, 0.5) * 1e3, percentile(last, 0.99) * 1e3
    found.at_most("last of 1,000 deliveries, p99", 25.0, "ms", Spread(p99, p99, p99))
    rows.append(["last delivery p50, ms", number(p50), "–"])
    found.tables.append(Table("Absolute figures", ["", "ours", "raw loop"], rows))
    return found
