"""Writers on every host, which do as they are told: what is unavailable is tried again after the seconds that it says."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import cycle, islice

from tests.failures.ledger import Ledger
from tests.failures.writers import (
    Outcome,
    RestTransport,
    Transport,
    WebSocketTransport,
    Writer,
    at_work,
    share_a_task,
)
from tests.support.clients import Account
from tests.support.processes import System
from tests.support.reconnecting_clients import Json


class PatientWriter(Writer):
    """``slowest``: how many seconds a write waited for its answer."""

    slowest = 0.0

    async def create(self) -> str | None:
        """With one uuid until it is done: what was done without an answer is not done twice."""
        request = self._create()
        while await self._try(request) is not Outcome.DONE:
            pass
        task_id: str = request["data"]["uuid"]
        return task_id

    async def _try(self, request: Json) -> Outcome:
        began = time.monotonic()
        outcome = await super()._try(request)
        self.slowest = max(self.slowest, time.monotonic() - began)
        assert outcome is not Outcome.UNKNOWN, f"a connection was lost ({self.close_code})"
        if outcome is Outcome.REFUSED:
            await asyncio.sleep(self.retry_after)
        return outcome


@asynccontextmanager
async def writing_everywhere(
    systems: Sequence[System], accounts: Sequence[Account], ledger: Ledger, seed: int, *, pause: float
) -> AsyncIterator[list[PatientWriter]]:
    """Four writers for each account, on the systems in turn, two on each transport."""
    turns = cycle(systems)
    transports: list[Transport] = []
    writers: list[PatientWriter] = []
    for account in accounts:
        team = []
        for number, system in enumerate(islice(turns, 4)):
            transport: Transport = (WebSocketTransport if number % 2 else RestTransport)(system, account)
            transports.append(transport)
            name = f"{account.id}.{number}"
            team.append(PatientWriter(transport, account.id, name, ledger, random.Random(f"{seed} {name}")))
        await share_a_task(team)
        writers += team
    async with at_work(writers, pause):
        yield writers
    for transport in transports:
        await transport.close()
