"""A clock that is set, and lives of tokens that are changed over a restart: no session ends for it, and no grace lasts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import jwt
import pytest

from tests.support.clients import Account, Answer, Rest, connected, new_account
from tests.support.processes import System, running
from tests.support.settable_clock import SettableClock
from tests.support.waiting import wait_until

YEAR = 365 * 86_400


class Timed(NamedTuple):
    system: System
    clock: SettableClock


@pytest.fixture(scope="module")
def timed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Timed]:
    folder = tmp_path_factory.mktemp("timed")
    clock = SettableClock(folder)
    with running(
        folder, ROTATE_REFRESH_TOKENS="true", REFRESH_GRACE_SECONDS="2", beside=clock.environ
    ) as system:
        yield Timed(system, clock)


@pytest.fixture(autouse=True)
def _right_again(timed: Timed) -> Iterator[None]:
    yield
    timed.clock.set(0)


def _refresh(system: System, refresh: str) -> Answer:
    return Rest(system)("POST", "/token-refresh/", {"refresh": refresh})


async def _is_good(system: System, account: Account) -> None:
    assert account.rest("GET", "/").status == 200
    async with connected(system, account.access) as socket:
        assert (await socket.ask({"mode": "ping"}))["type"] == "pong"
    assert _refresh(system, account.refresh).status == 200


async def test_a_clock_that_is_ahead_for_a_moment_ends_no_sessions(timed: Timed) -> None:
    system, clock = timed
    before = new_account(system)
    clock.set(YEAR)
    assert before.rest("GET", "/").status == 401, "the clock is ahead, or this test says nothing"
    during = new_account(system)
    during = new_account(system)
    assert _refresh(system, during.refresh).status == 200
    clock.set(0)
    await _is_good(system, before)
    await _is_good(system, new_account(system))


def test_a_grace_is_not_over_because_the_clock_was_set_ahead(timed: Timed) -> None:
    system, clock = timed
    account = new_account(system)
    assert _refresh(system, account.refresh).status == 200
    clock.set(600)
    assert _refresh(system, account.refresh).status == 200


def test_a_grace_does_not_last_because_the_clock_was_set_back(timed: Timed) -> None:
    system, clock = timed
    clock.set(1000)
    account = new_account(system)
    clock.set(1001)
    current = _refresh(system, account.refresh)
    clock.set(1000)
    started = time.monotonic()
    wait_until(
        lambda: Rest(system)("POST", "/token-verify/", {"token": account.refresh}).status == 401,
        10,
        "the grace is over",
    )
    assert time.monotonic() - started > 1
    assert _refresh(system, account.refresh).status == 401
    assert _refresh(system, current.body["refresh"]).status == 401, "the family is revoked"


def test_a_clock_that_is_set_back_does_not_prolong_a_verified_token(timed: Timed) -> None:
    """Whatever ends a token without a revocation shows after a second."""
    system, clock = timed
    account = new_account(system)
    assert account.rest("GET", "/").status == 200
    clock.set(-1)  # a token of this second is one of the future then, where it was not verified before
    system.execute("UPDATE users SET is_active = false WHERE id = :id", id=account.id)
    wait_until(lambda: account.rest("GET", "/").status == 401, 3, "the disabled user is refused")


def test_access_tokens_that_live_longer_after_a_restart_are_good_to_their_end(tmp_path: Path) -> None:
    """Rows of families that have ended go; so this one must not have."""
    with running(tmp_path, ACCESS_TOKEN_SECONDS="1", REFRESH_TOKEN_SECONDS="60") as system:
        account = new_account(system)
        assert system.gateway.stop() == 0
        system.gateway.environ["TASKBEAM_ACCESS_TOKEN_SECONDS"] = "3600"
        system.gateway.start()
        answer = _refresh(system, account.refresh)
        assert answer.status == 200
        claims = jwt.decode(answer.body["access"], options={"verify_signature": False})
        [(expires,)] = system.execute("SELECT expires FROM sessions WHERE sid = :sid", sid=claims["sid"])
        assert claims["exp"] <= expires
        assert Rest(system, answer.body["access"])("GET", "/").status == 200
