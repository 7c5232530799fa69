"""As fast as the server allows, and refused once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

import pytest

from taskbeam_client import Backoff, Session, TaskbeamClient
from taskbeam_client.rate_limiter import RateLimiter
from tests.support.clients import Account, new_account
from tests.support.processes import System, running
from tests.taskbeam_client.support import equals_server
from tests.taskbeam_client.tcp_relay import tcp_relay


class Bucket:
    """A server's: so many tokens a second, a burst of twice that."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._tokens = 2 * per_second
        self._then = 0.0

    def refuses(self, now: float) -> float:
        """Seconds until a message would be taken; 0.0 where it is."""
        earned = (now - self._then) * self._per_second
        self._tokens, self._then = min(2 * self._per_second, self._tokens + earned), now
        if self._tokens < 1:
            return (1 - self._tokens) / self._per_second
        self._tokens -= 1
        return 0.0


def sent(per_second: float, messages: int, seed: int) -> tuple[float, int]:
    """Over a network with jitter, one after another. Returns the seconds that it took, and the refusals."""
    dice, limiter, bucket = random.Random(seed), RateLimiter(), Bucket(per_second)
    now, refusals = 0.0, 0
    while messages:
        if delay := limiter.delay(now):
            now += delay + dice.choice((0.0, 0.0, 0.001, 0.003))  # sleeps are late
        now += dice.choice((0.0005, 0.0005, 0.0005, 0.004))
        late = bucket.refuses(now)
        now += 0.0005
        if late:
            refusals += 1
            limiter.slow_down(now, late)
        else:
            messages -= 1
    return now, refusals


@pytest.mark.parametrize("seed", range(10))
def test_at_the_default_rate_there_is_one_refusal(seed: int) -> None:
    seconds, refusals = sent(200, 5000, seed)
    assert refusals == 1
    assert seconds < 5000 / 180


@pytest.mark.parametrize("per_second", [1, 5, 20, 50, 100, 150])
def test_slower_servers_are_found_out_quickly(per_second: int) -> None:
    seconds, refusals = sent(per_second, 30 * per_second, 1)
    assert refusals <= 6
    assert seconds < 60


def test_without_a_refusal_there_is_no_pace() -> None:
    limiter = RateLimiter()
    assert [limiter.delay(0.0) for _ in range(1000)] == [0.0] * 1000


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Far slower than writes can be, on any machine."""
    with running(tmp_path_factory.mktemp("limited"), MESSAGES_PER_SECOND="10") as system:
        yield system


async def test_a_plain_loop_of_writes_is_hardly_refused(limited: System) -> None:
    account: Account = await asyncio.to_thread(new_account, limited)
    session = Session(limited.rest_url, account.refresh)
    async with (
        tcp_relay(limited) as relay,
        TaskbeamClient(relay.url, session, backoff=Backoff(0.05), connect_options={"proxy": None}) as client,
    ):
        for number in range(50):
            await client.create(f"Task {number}")
        assert 1 <= relay.rate_limited <= 10  # without a pace, thirty
        assert client.statistics.connections == 1
        await equals_server(client, account)
