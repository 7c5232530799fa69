"""A gateway remembers good tokens: what ends them is known to it at once, or, from another process, within a second."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.clock import ClockReading, system_clock
from tests.support.clients import PASSWORD, Account, Rest, connected, new_account
from tests.support.processes import System, running
from tests.support.stores import open_store
from tests.support.waiting import wait_for_second, wait_until

WITHIN = 1.0


@contextmanager
def _two_gateways(folder: Path) -> Iterator[tuple[System, System]]:
    """The same database through a gateway each; the second has no WebSocket server."""
    with running(folder, ROTATE_REFRESH_TOKENS="true", REFRESH_GRACE_SECONDS="0") as first:
        second = System(
            folder, {"TASKBEAM_ROTATE_REFRESH_TOKENS": "true", "TASKBEAM_REFRESH_GRACE_SECONDS": "0"}
        )
        second.gateway.log = folder / "second_gateway.log"
        second.gateway.start()
        try:
            yield first, second
            assert second.gateway.stop() == 0, second.gateway.log.read_text()
        finally:
            second.gateway.kill()


@pytest.fixture(scope="module", params=["called", "deaf"])
def gateways(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[System, System]]:
    """With wake-up calls between them, and without a single one."""
    with _two_gateways(tmp_path_factory.mktemp("gateways")) as systems:
        if request.param == "deaf":
            folder = systems[0].database.with_name(systems[0].database.name + "-wake")
            assert len(list(folder.iterdir())) == 3
            shutil.rmtree(folder)
            folder.mkdir()
        yield systems


def _log_out(rest: Rest, account: Account) -> None:
    assert rest("POST", "/logout/", {"refresh": account.refresh}).status == 200


def _change_password(rest: Rest, account: Account) -> None:
    body = {"current_password": PASSWORD, "password": "another good password"}
    assert rest("PATCH", "/me/", body).status == 200


def _delete_account(rest: Rest, account: Account) -> None:
    assert rest("DELETE", "/me/", {"current_password": PASSWORD}).status == 204


def _use_a_refresh_token_again(rest: Rest, account: Account) -> None:
    assert rest("POST", "/token-refresh/", {"refresh": account.refresh}).status == 200
    wait_for_second(int(time.time()) + 1)  # the grace is none
    assert rest("POST", "/token-refresh/", {"refresh": account.refresh}).status == 401


Revoke = Callable[[Rest, Account], None]
REVOKE = pytest.mark.parametrize(
    "revoke", [_log_out, _change_password, _delete_account, _use_a_refresh_token_again]
)


def _known(system: System) -> Account:
    """A new account whose token the gateway has verified, and has been asked with again."""
    account = new_account(system)
    for _ in range(3):
        assert account.rest("GET", "/").status == 200
    return account


@REVOKE
def test_what_the_gateway_revokes_itself_ends_at_once(
    gateways: tuple[System, System], revoke: Revoke
) -> None:
    account, other = _known(gateways[0]), _known(gateways[0])
    revoke(account.rest, account)
    for _ in range(3):
        assert account.rest("GET", "/").status == 401
    assert other.rest("GET", "/").status == 200


@REVOKE
def test_what_another_gateway_revokes_ends_within_a_second(
    gateways: tuple[System, System], revoke: Revoke
) -> None:
    first, second = gateways
    account, other = _known(first), _known(first)
    revoke(Rest(second, account.access), account)
    wait_until(lambda: account.rest("GET", "/").status == 401, WITHIN, "the token is refused")
    for _ in range(3):
        assert account.rest("GET", "/").status == 401
    assert other.rest("GET", "/").status == 200


async def test_what_a_store_without_a_feed_revokes_ends_within_a_second(
    gateways: tuple[System, System],
) -> None:
    """As a command does that opens the database, writes, and calls nobody."""
    system = gateways[0]
    account = _known(system)
    async with open_store(system.database_url) as store:
        user = await store.user_by_key(account.username)
        assert user is not None
        assert await store.set_password(user, "nobody's", ClockReading(system_clock() // 1_000_000, 0, ""))
    wait_until(lambda: account.rest("GET", "/").status == 401, WITHIN, "the token is refused")


async def test_a_log_in_after_a_revocation_is_good_at_once(gateways: tuple[System, System]) -> None:
    first, second = gateways
    account = _known(first)
    _log_out(Rest(second), account)
    credentials = {"username": account.username, "password": PASSWORD}
    tokens = Rest(first)("POST", "/login/", credentials).body
    again = Rest(first, tokens["access"])
    for _ in range(3):
        assert again("GET", "/").status == 200
    async with connected(first, tokens["access"]) as socket:
        assert socket.auth["user_id"] == account.id
    wait_until(lambda: account.rest("GET", "/").status == 401, WITHIN, "the old token is refused")
    assert again("GET", "/").status == 200


def test_a_token_ends_at_its_expiry(short_timeouts_system: System) -> None:
    account = _known(short_timeouts_system)

    def message() -> object:
        answer = account.rest("GET", "/")
        return answer.status == 401 and answer.body["messages"][0]["message"]

    wait_until(lambda: message() == "Token is expired", 10, "the token expires")
