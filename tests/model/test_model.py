"""After random writes and random faults, all clients have seen the same changes."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from shared.store.opening import check_database
from tests.model.devices import DeviceActor
from tests.model.history import History, problems
from tests.model.outside_clients import Caller, OutsideWriter, read_end, read_log
from tests.support.clients import Account, new_account
from tests.support.processes import Process, System, running
from tests.support.waiting import wait_until

SEED = int(os.environ.get("TASKBEAM_TEST_SEED") or random.SystemRandom().randrange(10**6))
SECONDS = float(os.environ.get("TASKBEAM_TEST_SECONDS") or 8)
USERS = 3
DEVICES = 3
WORKERS = 2


class Chaos:
    """Causes random faults; at the end everything runs."""

    def __init__(self, system: System, devices: list[DeviceActor], rng: random.Random) -> None:
        self._system = system
        self._devices = devices
        self._rng = rng
        self.done: Counter[str] = Counter()

    async def run(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await asyncio.sleep(self._rng.uniform(0.05, 0.6))
            if self._rng.random() < 0.6:
                self._drop_connections()
            else:
                process = self._rng.choice(self._system.processes)
                number = self._rng.choice((signal.SIGKILL, signal.SIGTERM))
                self.done[f"{number.name} {process.module}"] += 1
                await asyncio.to_thread(_restart, process, number, self._rng.choice((0, 0, 0.3)))

    def _drop_connections(self) -> None:
        for device in self._rng.sample(self._devices, self._rng.randint(1, len(self._devices))):
            if device.client is not None:
                device.client.drop_connection()
                self.done["disconnect"] += 1


def _restart(process: Process, number: signal.Signals, pause: float) -> None:
    if number == signal.SIGKILL:
        process.kill()
    else:
        assert process.stop() == 0, process.log.read_text()
    time.sleep(pause)
    starts = process.log.read_text().count("listening on")
    process.start(ready=False)
    # Its own log: another worker may answer on the same port.
    wait_until(lambda: process.log.read_text().count("listening on") > starts, 20, "it listens again")


async def _run_clients(system: System, accounts: list[Account], histories: list[History]) -> Counter[str]:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    final_seqs: list[asyncio.Future[int]] = [loop.create_future() for _ in accounts]
    callers = [Caller(system, account) for account in accounts]
    devices: list[DeviceActor] = []
    written: list[asyncio.Event] = [asyncio.Event() for _ in accounts]
    async with asyncio.TaskGroup() as group:
        ends: list[asyncio.Task[None]] = []
        readers: list[asyncio.Task[None]] = []
        outside_writers: list[asyncio.Task[None]] = []
        for user, (account, history) in enumerate(zip(accounts, histories, strict=True)):
            for number in range(DEVICES):
                name = f"user {user} device {number}"
                actor = DeviceActor(system, account, name, history, random.Random(f"{SEED} {name}"))
                devices.append(actor)
                ends.append(group.create_task(actor.run(stop, final_seqs[user])))
            outside_writer = OutsideWriter(
                system,
                account,
                f"outside_writer {user}",
                history,
                random.Random(f"{SEED} outside_writer {user}"),
            )
            outside_writers.append(group.create_task(outside_writer.run(stop)))
            readers.append(group.create_task(read_log(callers[user], history, written[user])))
        chaos = Chaos(system, devices, random.Random(f"{SEED} chaos"))
        await chaos.run(SECONDS)
        stop.set()
        async with asyncio.timeout(90):
            await asyncio.gather(*outside_writers)
            await asyncio.gather(*(actor.quiet.wait() for actor in devices))
            for event in written:
                event.set()
            await asyncio.gather(*readers)
            for final_seq, history in zip(final_seqs, histories, strict=True):
                final_seq.set_result(history.seq)
            await asyncio.gather(*ends)
    for account, caller, history in zip(accounts, callers, histories, strict=True):
        await read_end(system, account, caller, history)
    return chaos.done


@pytest.mark.timeout(SECONDS + 240)
def test_all_clients_see_the_same_changes(tmp_path: Path) -> None:
    print(f"TASKBEAM_TEST_SEED={SEED} TASKBEAM_TEST_SECONDS={SECONDS}")
    histories = [History() for _ in range(USERS)]
    with running(tmp_path, WORKERS, ACCESS_TOKEN_SECONDS="30", MAX_CONNECTIONS_PER_USER="1000") as system:
        accounts = [new_account(system) for _ in range(USERS)]
        try:
            faults = asyncio.run(_run_clients(system, accounts, histories))
        except BaseException:
            print(system.logs()[-20_000:])
            raise
        logs = system.logs()
        findings = check_database(system.database_url)
    found = [problem for history in histories for problem in problems(history)]
    outcomes = Counter(
        f"{attempt.mode} {attempt.outcome}" for history in histories for attempt in history.attempts
    )
    print(
        f"{sum(history.seq for history in histories)} changes, "
        f"{sum(len(history.devices) for history in histories)} lives of devices, "
        f"{sum(len(device.events) for history in histories for device in history.devices)} events seen, "
        f"{sum(len(history.batches) for history in histories)} batches, "
        f"faults: {dict(sorted(faults.items()))}, writes: {dict(sorted(outcomes.items()))}"
    )
    assert found == [], f"seed {SEED}\n" + "\n".join(found[:20]) + f"\n{logs[-20_000:]}"
    assert "Traceback" not in logs, logs[-20_000:]
    assert "gap before change" not in logs, logs[-20_000:]
    problems_of_rows = [finding.text for finding in findings if finding.level == "problem"]
    # PostgreSQL in tests does not wait for the disk, which is found, too.
    assert [text for text in problems_of_rows if "does not wait for the disk" not in text] == []
    assert all(history.seq > 20 for history in histories), "too little has happened to say anything"
