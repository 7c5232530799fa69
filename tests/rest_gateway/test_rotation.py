"""Refresh tokens that rotate: each is good for one exchange, and a stolen one ends the family."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.clients import Account, Answer, Rest, connected, new_account
from tests.support.processes import System, running
from tests.support.waiting import wait_for_second, wait_until

GRACE = 1
REVOKED = {"detail": "Token is blacklisted", "code": "token_not_valid"}


@pytest.fixture(scope="module")
def rotating_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running(
        tmp_path_factory.mktemp("rotating"), ROTATE_REFRESH_TOKENS="true", REFRESH_GRACE_SECONDS=str(GRACE)
    ) as system:
        yield system


def _refresh(system: System, refresh: str) -> Answer:
    return Rest(system)("POST", "/token-refresh/", {"refresh": refresh})


def test_without_rotation_there_is_a_new_access_token_alone(system: System, account: Account) -> None:
    for _ in range(3):
        answer = _refresh(system, account.refresh)
        assert (answer.status, list(answer.body)) == (200, ["access"])
        assert Rest(system, answer.body["access"])("GET", "/").status == 200


def test_each_refresh_brings_the_next_refresh_token(rotating_system: System) -> None:
    refresh = new_account(rotating_system).refresh
    seen = {refresh}
    for _ in range(3):
        answer = _refresh(rotating_system, refresh)
        assert (answer.status, list(answer.body)) == (200, ["access", "refresh"])
        assert Rest(rotating_system, answer.body["access"])("GET", "/").status == 200
        refresh = answer.body["refresh"]
        seen.add(refresh)
    assert len(seen) == 4


def test_an_old_one_is_good_within_the_grace(rotating_system: System) -> None:
    account = new_account(rotating_system)
    first = _refresh(rotating_system, account.refresh)
    second = _refresh(rotating_system, account.refresh)
    assert (first.status, second.status) == (200, 200)
    for answer in (first, second):
        assert _refresh(rotating_system, answer.body["refresh"]).status == 200


async def test_an_old_one_after_the_grace_ends_the_family(rotating_system: System) -> None:
    account = new_account(rotating_system)
    current = _refresh(rotating_system, account.refresh).body
    await asyncio.to_thread(wait_for_second, int(time.time()) + GRACE + 1)
    assert _refresh(rotating_system, current["refresh"]).status == 200, "the honest client goes on"
    async with connected(rotating_system, current["access"]) as socket:
        stolen = _refresh(rotating_system, account.refresh)
        assert (stolen.status, stolen.body) == (401, REVOKED)
        assert await socket.closed() == 4403
    assert _refresh(rotating_system, current["refresh"]).body == REVOKED
    answer = Rest(rotating_system, current["access"])("GET", "/")
    assert (answer.status, answer.body["messages"][0]["message"]) == (401, "Token is blacklisted")


def test_twenty_refreshes_at_once_all_succeed(rotating_system: System) -> None:
    account = new_account(rotating_system)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: _refresh(rotating_system, account.refresh), range(20)))
    assert [answer.status for answer in answers] == [200] * 20
    assert len({answer.body["refresh"] for answer in answers}) == 20
    with ThreadPoolExecutor(20) as pool:
        nexts = list(pool.map(lambda answer: _refresh(rotating_system, answer.body["refresh"]), answers))
    assert [answer.status for answer in nexts] == [200] * 20


def test_a_logout_with_any_token_of_the_family_ends_it(rotating_system: System) -> None:
    account = new_account(rotating_system)
    current = _refresh(rotating_system, account.refresh).body
    assert Rest(rotating_system)("POST", "/logout/", {"refresh": account.refresh}).status == 200
    wait_until(lambda: _refresh(rotating_system, current["refresh"]).body == REVOKED, 1, "the family ends")
    assert account.rest("GET", "/").status == 401
