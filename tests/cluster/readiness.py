"""What ``/readyz`` of every process says, again and again, held against what is true."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Final, NamedTuple

from tests.support.processes import Process, System

_PAUSE: Final = 0.2
_ANSWER_SECONDS: Final = 5.0
BACK_SECONDS: Final = 5.0
"""How soon a process is ready again. A connection that was cut may have to wait for TCP to try again."""


class Probe(NamedTuple):
    """``status``: 0 where there was no answer in time."""

    process: Process
    began: float
    ended: float
    status: int


class Outage:
    """The database is away for some systems. Times are those of the monotonic clock.

    It begins between ``began`` and ``away``, and ends between ``ends`` and ``ended``.
    """

    def __init__(self, systems: Collection[System]) -> None:
        self._processes = [process for system in systems for process in system.processes]
        self.began = self.away = self.ends = time.monotonic()
        self.ended = float("inf")

    def has_begun(self) -> None:
        self.away = time.monotonic()

    def is_about_to_end(self) -> None:
        self.ends = time.monotonic()

    def contradicts(self, probe: Probe) -> bool:
        """Whether the probe, begun and answered during the outage, did not tell of it."""
        return (
            probe.process in self._processes
            and self.away <= probe.began
            and probe.ended <= self.ends
            and probe.status != 503
        )

    def explains(self, probe: Probe) -> bool:
        """Whether the outage may be why the process was not ready."""
        return (
            probe.process in self._processes
            and self.began <= probe.ended
            and probe.began <= self.ended + BACK_SECONDS
        )


class Readiness:
    """Asks all processes all the time; ``check`` compares the answers with the outages."""

    def __init__(self) -> None:
        self.probes: list[Probe] = []
        self._outages: list[Outage] = []

    @contextmanager
    def outage(self, systems: Collection[System]) -> Iterator[Outage]:
        outage = Outage(systems)
        self._outages.append(outage)
        yield outage
        outage.ended = time.monotonic()

    @asynccontextmanager
    async def watched(self, systems: Sequence[System]) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._watch(process)) for system in systems for process in system.processes
            ]
            yield
            for task in tasks:
                task.cancel()

    async def _watch(self, process: Process) -> None:
        while True:
            began = time.monotonic()
            status = await _ask(process)
            self.probes.append(Probe(process, began, time.monotonic(), status))
            await asyncio.sleep(_PAUSE)

    def check(self) -> str:
        """Returns a line about what was asked."""
        for probe in self.probes:
            shown = f"{probe.process.log} said {probe.status} at {probe.began:.2f} to {probe.ended:.2f}"
            times = [vars(outage) for outage in self._outages]
            assert not any(outage.contradicts(probe) for outage in self._outages), f"{shown}: {times}"
            is_explained = any(outage.explains(probe) for outage in self._outages)
            assert probe.status == 200 or (probe.status == 503 and is_explained), f"{shown}: {times}"
        refused = sum(probe.status == 503 for probe in self.probes)
        slowest = max(probe.ended - probe.began for probe in self.probes)
        return f"{len(self.probes)} probes, {refused} of them 503, the slowest took {slowest:.2f} s"


async def _ask(process: Process) -> int:
    """The status of ``/readyz``; 0 where there is no answer in time."""
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection(sock=await process.host.connect(process.port))
            try:
                writer.write(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                answer = await reader.read()
            finally:
                writer.transport.abort()
    except OSError:
        return 0
    return int(answer.split()[1]) if answer else 0
