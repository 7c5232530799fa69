"""A closed loop: each connection has one request in flight, and sends the next when the answer arrives."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Sequence
from time import perf_counter
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

from benchmarks.figures import percentile
from benchmarks.machine import cpu_seconds, tree_cpu_seconds

_DRAIN_SECONDS: Final = 30.0
_SETTLE_SECONDS: Final = 0.2  # the first requests are all sent at once
_BUSY: Final = 0.95


class Peer(Protocol):
    """One end of a connection, WebSocket or HTTP."""

    sent: float
    on_answer: Callable[[Any, bytes], None]

    def send(self, request: bytes) -> None: ...


P = TypeVar("P", bound=Peer)
Requests = Callable[[P, bytes], bytes | None]
"""The next request of a connection, given its last answer (empty at first); ``None`` ends the window."""


class Window(NamedTuple):
    """One measurement. Latencies in milliseconds, CPU in cores. ``database_cpu_seconds``: of a database server beside."""

    rate: float
    p50: float
    p99: float
    operations: int
    client_cpu: float
    server_cpu: float
    server_cpu_seconds: float
    database_cpu_seconds: float = 0.0

    @property
    def load_bound(self) -> bool:
        """Whether the load generator was the limit, so that the server could do more."""
        return self.client_cpu > _BUSY and self.server_cpu < _BUSY


class UnexpectedAnswer(Exception):
    """An answer was wrong, so the measurement is invalid."""


class ClosedLoop(Generic[P]):
    """Sends requests on all connections, window by window.

    Args:
        peers: the connections; nothing else uses them while a window runs.
        requests: makes the requests.
        expected: bytes that every answer has near its start.
        pids: the server's processes, whose CPU time counts.
        database: the first process of a database server, whose CPU time is told apart.
    """

    def __init__(
        self,
        peers: Sequence[P],
        requests: Requests[P],
        expected: bytes,
        pids: Iterable[int] = (),
        database: int | None = None,
    ) -> None:
        self._peers = peers
        self._requests = requests
        self._expected = expected
        self._pids = list(pids)
        self._database = database

    async def run(self, seconds: float) -> Window:
        """Run one window; at its end no request is in flight. Raises UnexpectedAnswer, TimeoutError."""
        self._latencies: list[float] = []
        self._running = True
        self._waiting = len(self._peers)
        self._unexpected: bytes | None = None
        self._ended, self._drained = asyncio.Event(), asyncio.Event()
        for peer in self._peers:
            peer.on_answer = self._answered
            self._next(peer, b"")
        await self._pause(_SETTLE_SECONDS)
        database = self._database_seconds()
        settled, started = len(self._latencies), perf_counter()
        ours, theirs = cpu_seconds([os.getpid()]), cpu_seconds(self._pids)
        await self._pause(seconds)
        spent = perf_counter() - started
        ours, theirs = cpu_seconds([os.getpid()]) - ours, cpu_seconds(self._pids) - theirs
        measured = sorted(self._latencies[settled:])
        database = self._database_seconds() - database
        self._running = False
        async with asyncio.timeout(_DRAIN_SECONDS):
            await self._drained.wait()
        if self._unexpected is not None:
            raise UnexpectedAnswer(self._unexpected[:300])
        if not measured:
            raise UnexpectedAnswer(b"no answer in the whole window")
        return Window(
            rate=len(measured) / spent,
            p50=percentile(measured, 0.5) * 1e3,
            p99=percentile(measured, 0.99) * 1e3,
            operations=len(measured),
            client_cpu=ours / spent,
            server_cpu=theirs / spent,
            server_cpu_seconds=theirs,
            database_cpu_seconds=database,
        )

    def _database_seconds(self) -> float:
        return 0.0 if self._database is None else tree_cpu_seconds(self._database)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        except TimeoutError:
            return

    def _answered(self, peer: P, answer: bytes) -> None:
        now = perf_counter()
        self._latencies.append(now - peer.sent)
        if answer.find(self._expected, 0, 400) < 0:
            self._unexpected = answer
            self._end()
        self._next(peer, answer)

    def _next(self, peer: P, answer: bytes) -> None:
        request = self._requests(peer, answer) if self._running else None
        if request is None:
            self._end()
            self._waiting -= 1
            if self._waiting == 0:
                self._drained.set()
        else:
            peer.sent = perf_counter()
            peer.send(request)

    def _end(self) -> None:
        self._running = False
        self._ended.set()


async def alternate(rounds: int, seconds: float, loops: Sequence[ClosedLoop[Any]]) -> list[list[Window]]:
    """Run windows of all loops in turn, so that the machine's noise affects all of them. One list for each loop.

    The first round is a warm-up and not counted. Every second round runs in reverse order.
    """
    windows: list[list[Window]] = [[] for _ in loops]
    for number in range(rounds + 1):
        order = range(len(loops)) if number % 2 else reversed(range(len(loops)))
        for index in order:
            window = await loops[index].run(seconds if number else min(seconds, 0.5))
            if number:
                windows[index].append(window)
    return windows
