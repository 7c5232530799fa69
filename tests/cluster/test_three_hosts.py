"""Three hosts on one PostgreSQL and one Valkey: what is written on one reaches sockets on the others, whatever fails meanwhile.

``TASKBEAM_TEST_FULL=1``: more writes, and every fault for as long as it takes to matter. ``TASKBEAM_TEST_SEED``: repeat the
choices of a run.
"""

from __future__ import annotations

import os
import secrets
import statistics
import time
from collections.abc import Iterator
from typing import Final

import pytest

from tests.cluster.cluster import AuditedUsers, Cluster, running_cluster
from tests.cluster.faults import LONG, SHORT
from tests.cluster.followers import Follower, following
from tests.cluster.readiness import Readiness
from tests.cluster.writers import writing_everywhere
from tests.failures.audit import Audit
from tests.failures.ledger import Ledger
from tests.support.clients import new_account
from tests.support.reconnecting_clients import ReconnectingRest, ReconnectingSocket
from tests.support.waiting import until

_FULL: Final = os.environ.get("TASKBEAM_TEST_FULL", "") not in ("", "0")
SEED: Final = int(os.environ.get("TASKBEAM_TEST_SEED", str(secrets.randbelow(10**9))))
_TIMED_WRITES: Final = 2000 if _FULL else 300
_CHANGES: Final = 10_000 if _FULL else 1500
_FAULTS: Final = LONG if _FULL else SHORT
_PAUSE: Final = 0.02  # at most, between two writes of a client
_CAUGHT_UP_SECONDS: Final = 10.0
_PROGRESS_SECONDS: Final = 60.0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


async def test_a_write_on_one_host_reaches_a_socket_on_another_at_once(cluster: Cluster) -> None:
    writer_host, _, reader_host = cluster.systems
    account = new_account(writer_host)
    rest = ReconnectingRest(writer_host, account.access)
    socket = ReconnectingSocket(writer_host, account.access, push=False)
    milliseconds = []
    async with following([reader_host], [account]) as [reader]:
        for number in range(_TIMED_WRITES):
            began = time.perf_counter()
            if number % 2:
                await rest.ask("POST", "/", {"task": f"Write {number}"})
            else:
                await socket.ask({"mode": "create", "data": {"task": f"Write {number}"}})
            await reader.wait_for(number + 1, 10)
            milliseconds.append((reader.arrived - began) * 1000)
    await rest.close()
    await socket.close()
    percentiles = statistics.quantiles(milliseconds, n=100)
    p50, p99 = percentiles[49], percentiles[98]
    print(f"{_TIMED_WRITES} writes: p50 {p50:.2f} ms, p99 {p99:.2f} ms, max {max(milliseconds):.2f} ms")
    print(f"load average {os.getloadavg()}")
    assert p50 < 100, "hints bring the changes, not the comparison of the seqs once a second"


@pytest.mark.timeout(900 if _FULL else 300)
async def test_nothing_is_lost_and_no_socket_has_a_gap_whatever_fails(cluster: Cluster) -> None:
    faults = {name: fault for name, fault in _FAULTS.items() if cluster.links or not fault.needs_links}
    print(f"TASKBEAM_TEST_SEED={SEED}, {len(faults)} of {len(_FAULTS)} faults")
    ledger, readiness = Ledger(), Readiness()
    accounts = [new_account(system) for system in cluster.systems]
    audit = Audit(AuditedUsers(cluster, {account.id for account in accounts}), ledger)
    began = time.monotonic()
    async with (
        following(cluster.systems, accounts) as followers,
        readiness.watched(cluster.systems),
    ):
        async with writing_everywhere(cluster.systems, accounts, ledger, SEED, pause=_PAUSE) as writers:
            for name, fault in faults.items():
                await _until_written(ledger, len(ledger.acknowledged) + _CHANGES // (len(faults) + 1))
                done, refused = len(ledger.acknowledged), ledger.unavailable
                for writer in writers:
                    writer.slowest = 0.0
                fault_began = time.monotonic()
                await fault.do(cluster, readiness, fault.seconds)
                lasted = time.monotonic() - fault_began
                caught_up = await _catch_up(audit, followers)
                print(
                    f"{time.monotonic() - began:6.1f} s: {name}, {lasted:.1f} s: {len(ledger.acknowledged) - done} changes, "
                    f"{ledger.unavailable - refused} unavailable, caught up after {caught_up:.2f} s, "
                    f"slowest answer {max(writer.slowest for writer in writers):.2f} s"
                )
            await _until_written(ledger, _CHANGES)
        await _catch_up(audit, followers)
    audit.check()
    audit.check_whole_log()
    for follower in followers:
        listed = follower.account.rest("GET", "/").body
        assert follower.tasks == {task["uuid"]: task for task in listed}
    print(readiness.check())
    done = sum(map(audit.took_effect, ledger.unknown))
    print(
        f"{time.monotonic() - began:.1f} s: {len(ledger.acknowledged)} acknowledged changes, {len(audit.changes)} in the "
        f"log, {ledger.unavailable} answered unavailable, {done} of them done; load average {os.getloadavg()}"
    )


async def _until_written(ledger: Ledger, number: int) -> None:
    await until(lambda: len(ledger.acknowledged) >= number, _PROGRESS_SECONDS, f"{number} changes")


async def _catch_up(audit: Audit, followers: list[Follower]) -> float:
    """Check the database; wait until the sockets have all that is in it. Returns the seconds."""
    began = time.monotonic()
    audit.check()
    seqs = dict(audit.seqs)

    def are_there() -> bool:
        return all(follower.seq >= seqs.get(follower.account.id, 0) for follower in followers)

    await until(are_there, _CAUGHT_UP_SECONDS, "the sockets have what is written")
    return time.monotonic() - began
