"""SIGKILL again and again during writes: nothing acknowledged is lost, nothing is written in part.

``TASKBEAM_TEST_KILLS=200``: the long form. ``TASKBEAM_TEST_SEED``: repeat the choices of a run.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import time
from pathlib import Path
from typing import Final

import pytest

from tests.failures.audit import Audit
from tests.failures.audited_database import audited_database
from tests.failures.ledger import Ledger
from tests.failures.writers import writing
from tests.support.clients import new_account
from tests.support.processes import System, running
from tests.support.restarts import kill_and_start, wait_listening
from tests.support.waiting import until

KILLS: Final = int(os.environ.get("TASKBEAM_TEST_KILLS", "12"))
SEED: Final = int(os.environ.get("TASKBEAM_TEST_SEED", str(secrets.randbelow(10**9))))
_USERS: Final = 3
_PAUSE: Final = 0.02  # at most, between two writes of a client
_WRITES_BETWEEN: Final = 40  # acknowledged, at least, between a restart and the next kill
_PROGRESS_SECONDS: Final = 20.0


@pytest.mark.timeout(60 + 6 * KILLS)
async def test_no_acknowledged_write_is_lost(tmp_path: Path) -> None:
    print(f"TASKBEAM_TEST_SEED={SEED}, {KILLS} kills")
    rng = random.Random(SEED)
    ledger = Ledger()
    started = time.monotonic()
    with running(tmp_path, workers=2, MESSAGES_PER_SECOND="0") as system:
        audit = Audit(audited_database(system.database_url), ledger)
        accounts = [new_account(system) for _ in range(_USERS)]
        async with writing(system, accounts, ledger, SEED, pause=_PAUSE):
            await _kill_loop(system, rng, ledger, audit)
        await asyncio.to_thread(audit.check)
    audit.check()  # once more after all have stopped
    audit.check_whole_log()
    done = sum(map(audit.took_effect, ledger.unknown))
    print(
        f"{KILLS} kills in {time.monotonic() - started:.1f} s: {len(ledger.acknowledged)} acknowledged changes, "
        f"{len(audit.changes)} in the log, {len(ledger.unknown)} of unknown outcome, {done} of them done, "
        f"{ledger.unavailable} answered unavailable"
    )
    assert len(ledger.acknowledged) >= KILLS * _WRITES_BETWEEN
    assert ledger.unavailable == 0  # the kernel drops a killed process's locks at once


async def _kill_loop(system: System, rng: random.Random, ledger: Ledger, audit: Audit) -> None:
    kills = 0
    while kills < KILLS:
        await _wait_for_writes(ledger)
        await asyncio.sleep(rng.uniform(0, 0.05))
        victims = [rng.choice(system.processes)]
        if rng.random() < 0.15:  # like a power cut: the first to start must recover the write-ahead log
            victims = system.processes
        for victim in victims:
            victim.kill()
            kills += 1
        for victim in victims:
            victim.start(ready=False)
        await asyncio.to_thread(audit.check)
        if rng.random() < 0.15:  # while it starts
            await asyncio.sleep(rng.uniform(0, 0.6))
            kill_and_start(victims[0])
            kills += 1
            await asyncio.to_thread(audit.check)
        for victim in victims:
            await asyncio.to_thread(wait_listening, victim)


async def _wait_for_writes(ledger: Ledger) -> None:
    wanted = len(ledger.acknowledged) + _WRITES_BETWEEN
    await until(lambda: len(ledger.acknowledged) >= wanted, _PROGRESS_SECONDS, "writes go on")
