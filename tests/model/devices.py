"""A device: it runs one ``TaskbeamClient`` after another, which write at random and record the outcomes."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from typing import Any

from taskbeam_client import (
    Backoff,
    ClientClosed,
    Conflict,
    EarlierWriteFailed,
    NotFound,
    Session,
    TaskbeamClient,
)
from tests.model.history import Attempt, Device, History
from tests.support.clients import Account
from tests.support.processes import System

_OUTSTANDING_MAX = 20
_QUIET_SECONDS = 60.0


class DeviceActor:
    """``quiet`` is set when it has no write in flight, and will make no more."""

    def __init__(
        self, system: System, account: Account, name: str, history: History, rng: random.Random
    ) -> None:
        self._system = system
        self._session = Session(system.rest_url, account.refresh)
        self._name = name
        self._history = history
        self._rng = rng
        self._texts = 0
        self._outstanding: deque[tuple[Attempt, asyncio.Future[Any]]] = deque()
        self.client: TaskbeamClient | None = None
        self.quiet = asyncio.Event()

    async def run(self, stop: asyncio.Event, final_seq: asyncio.Future[int]) -> None:
        """Run until everything is quiet and the copy has the final seq."""
        life = 0
        while True:
            life += 1
            device = Device(f"{self._name}, life {life}")
            self._history.devices.append(device)
            client = TaskbeamClient(
                self._system.ws_url,
                self._session,
                backoff=Backoff(0.2, 2.0),
                connect_options={"proxy": None},
            )
            stream = client.changes()
            async with client:
                self.client = client
                watching = asyncio.create_task(_watch(stream, device))
                await self._write(client, stop, self._rng.uniform(2, 12))
                if stop.is_set():
                    await self._end(client, device, final_seq)
            await watching  # events that are still in the stream
            await self._record_outcomes(0)
            statistics = client.statistics
            assert (statistics.gaps, statistics.duplicates) == (0, 0), (device.name, statistics)
            assert client.statistics.snapshots <= 1, device.name
            if stop.is_set():
                if device.tasks is None:
                    continue
                return

    async def _end(self, client: TaskbeamClient, device: Device, final_seq: asyncio.Future[int]) -> None:
        await self._record_outcomes(0)
        self.quiet.set()
        async with asyncio.timeout(_QUIET_SECONDS):
            seq = await final_seq
            while not (client.connected and client.seq >= seq):  # noqa: ASYNC110 - bounded, at the very end
                await asyncio.sleep(0.02)
        device.seq, device.tasks = client.seq, list(client.tasks.values())

    async def _write(self, client: TaskbeamClient, stop: asyncio.Event, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not stop.is_set():
                    for _ in range(self._rng.choice((1, 1, 1, 2, 5))):
                        self._write_one(client)
                    await self._record_outcomes(_OUTSTANDING_MAX)
                    await asyncio.sleep(self._rng.choice((0, 0.005, 0.02, 0.1)))
        except TimeoutError:
            pass

    def _write_one(self, client: TaskbeamClient) -> None:
        tasks = client.preview
        action = self._rng.random()
        self._texts += 1
        text = f"{self._name} {self._texts}"
        if not tasks or (action < 0.35 and len(tasks) < 40):
            future: asyncio.Future[Any] = client.create("A task", text)
            (uuid,) = client.preview.keys() - tasks.keys()
            self._outstanding.append((Attempt("create", uuid, text), future))
            return
        task = self._rng.choice(list(tasks.values()))
        stale = max(1, task.rev - 1) if self._rng.random() < 0.1 else None
        if action < 0.8:
            completed = self._rng.choice((None, True, False))
            future = client.update(task.uuid, description=text, completed=completed, rev=stale)
            attempt = Attempt("update", task.uuid, text, rev=stale or task.rev)
        else:
            future = client.delete(task.uuid, rev=stale)
            attempt = Attempt("delete", task.uuid, "", rev=stale or task.rev)
        self._outstanding.append((attempt, future))

    async def _record_outcomes(self, leave: int) -> None:
        """Wait until at most ``leave`` writes are outstanding; record the outcomes."""
        while len(self._outstanding) > leave:
            attempt, future = self._outstanding[0]
            await asyncio.wait([future])  # a time-out here must not withdraw the write
            self._outstanding.popleft()
            error = future.exception()
            if error is None:
                attempt.outcome = "done"
            elif isinstance(error, (Conflict, NotFound, EarlierWriteFailed)):
                attempt.outcome = "refused"
            elif not isinstance(error, ClientClosed):
                raise error
            self._history.attempts.append(attempt)


async def _watch(stream: Any, device: Device) -> None:
    async for event in stream:
        device.events.append(event)
