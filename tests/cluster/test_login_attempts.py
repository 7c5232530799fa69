"""Wrong passwords at several gateways lock an account at all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cluster.machines import two_machines
from tests.support.clients import PASSWORD, Answer, Rest, new_account
from tests.support.processes import System

PER_MINUTE = 5


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[tuple[System, System]]:
    with two_machines(tmp_path, LOGIN_ATTEMPTS_PER_MINUTE=str(PER_MINUTE)) as both:
        yield both


def _log_in(machine: System, username: str, password: str) -> Answer:
    return Rest(machine)("POST", "/login/", {"username": username, "password": password})


def test_guesses_at_two_gateways_at_once_are_counted_together(machines: tuple[System, System]) -> None:
    account, other = new_account(machines[0]), new_account(machines[1])
    for machine in machines:
        for _ in range(2 * PER_MINUTE):
            assert _log_in(machine, account.username, PASSWORD).status == 200, "right ones do not count"
    with ThreadPoolExecutor(8) as threads:
        guesses = [
            threads.submit(_log_in, machine, account.username, "wrong")
            for machine in machines * 2 * PER_MINUTE
        ]
        statuses = Counter(guess.result().status for guess in guesses)
    assert statuses == {401: PER_MINUTE, 429: 3 * PER_MINUTE}
    machines[0].gateway.stop()
    machines[0].gateway.start()
    for machine in machines:
        locked = _log_in(machine, account.username, PASSWORD)
        assert locked.status == 429, "also at a gateway that was started again"
        assert 0 < int(locked.headers["Retry-After"]) <= 60
        assert _log_in(machine, other.username, PASSWORD).status == 200
