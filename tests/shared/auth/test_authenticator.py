"""Access tokens are authenticated without the store for a second, and not a moment after this process revoked them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from shared.auth.hash_renewal import HashRenewal
from shared.auth.password_hasher import PasswordHasher
from shared.auth.services import make_auth_services
from shared.auth.tokens import TokenCodec
from shared.auth.verified_tokens import VerifiedTokens
from shared.clock import system_clock
from shared.decisions.sessions import TokenStatus
from shared.errors import TokenRejected
from shared.models import Bearer, Token
from shared.settings import load_settings
from shared.store import Store
from tests.shared.auth.set_clock import SetClock
from tests.support.stores import open_store

KEY = "a-key-for-the-tests-of-more-than-32-bytes"
PASSWORD = "correct horse battery staple"
HERE = "192.0.2.1"


class Hold:
    """One answer of the store that is true when it is given, and comes late."""

    def __init__(self) -> None:
        self.given = asyncio.Event()
        self.go_on = asyncio.Event()


class Services:
    """The services on a real store; how often it is asked for a status is counted, one answer can be held back."""

    def __init__(self, store: Store, hasher: PasswordHasher, clock: SetClock) -> None:
        self.asked = 0
        self.hold: Hold | None = None
        self._read_status = store.token_status
        store.token_status = self._status  # type: ignore[method-assign]
        settings = load_settings({"TASKBEAM_BCRYPT_ROUNDS": "4", "TASKBEAM_ROTATE_REFRESH_TOKENS": "true"})
        codec, self.verified = TokenCodec(KEY, (), clock), VerifiedTokens(clock, clock.uptime)
        renewal = HashRenewal(store, hasher)
        self.accounts, self.sessions, self.authenticator = make_auth_services(
            store, hasher, codec, self.verified, renewal, settings, clock, clock.uptime
        )

    async def _status(self, token: Token) -> TokenStatus | None:
        self.asked += 1
        status = await self._read_status(token)
        if self.hold is not None:
            hold, self.hold = self.hold, None
            hold.given.set()
            await hold.go_on.wait()
        return status


@pytest.fixture
def clock() -> SetClock:
    clock = SetClock()
    clock.seconds = system_clock() // 1_000_000
    return clock


@pytest.fixture
async def services(tmp_path: Path, clock: SetClock) -> AsyncIterator[Services]:
    settings = load_settings({"TASKBEAM_DATABASE_URL": f"sqlite:///{tmp_path}/taskbeam.db"})
    hasher = PasswordHasher(4, workers=1)
    async with open_store(settings.database_url) as store:
        yield Services(store, hasher, clock)
    hasher.close()


async def _log_in(services: Services, username: str = "ada") -> tuple[str, str]:
    """Access and refresh token of a new user."""
    await services.accounts.register({"username": username, "password": PASSWORD}, HERE)
    pair = await services.sessions.login(username, PASSWORD, HERE)
    assert pair.refresh is not None
    return pair.access, pair.refresh


async def test_a_known_token_is_not_asked_after_again(services: Services) -> None:
    access, _ = await _log_in(services)
    tokens = [await services.authenticator.authenticate(access) for _ in range(5)]
    assert tokens == [services.authenticator.verify_access(access)] * 5
    assert services.asked == 1


async def test_a_known_token_is_asked_after_again_a_second_later(services: Services, clock: SetClock) -> None:
    access, _ = await _log_in(services)
    await services.authenticator.authenticate(access)
    clock.seconds += 1
    await services.authenticator.authenticate(access)
    assert services.asked == 2


async def test_identity_is_always_asked_for(services: Services) -> None:
    access, _ = await _log_in(services)
    for _ in range(3):
        await services.authenticator.identify(await services.authenticator.authenticate(access))
    assert services.asked == 4


async def test_an_expired_token_is_refused_in_the_words_of_an_unknown_one(
    services: Services, clock: SetClock
) -> None:
    access, _ = await _log_in(services)
    known = await services.authenticator.authenticate(access)
    clock.seconds = known.exp
    for _ in range(2):
        with pytest.raises(TokenRejected, match="Token is expired"):
            await services.authenticator.authenticate(access)


async def test_refused_tokens_are_not_remembered(services: Services) -> None:
    access, refresh = await _log_in(services)
    for bad in (refresh, access[:-4], "", "x"):
        with pytest.raises(TokenRejected):
            await services.authenticator.authenticate(bad)
        assert services.verified.get(bad) is None
    await services.sessions.logout(refresh)
    for asked in (2, 3):
        with pytest.raises(TokenRejected, match="Token is blacklisted"):
            await services.authenticator.authenticate(access)
        assert services.asked == asked  # the first was the logout's


async def _bearer(services: Services, access: str) -> Bearer:
    token = services.authenticator.verify_access(access)
    return Bearer((await services.authenticator.identify(token)).user, token.sid, HERE)


Revoke = Callable[[Services, str, str, SetClock], Awaitable[None]]


async def _log_out(services: Services, access: str, refresh: str, clock: SetClock) -> None:
    await services.sessions.logout(refresh)


async def _change_password(services: Services, access: str, refresh: str, clock: SetClock) -> None:
    bearer = await _bearer(services, access)
    await services.accounts.change_password(bearer, {"current_password": PASSWORD, "password": "another one"})


async def _delete_account(services: Services, access: str, refresh: str, clock: SetClock) -> None:
    bearer = await _bearer(services, access)
    await services.accounts.delete_account(bearer, {"current_password": PASSWORD})


async def _use_a_refresh_token_again(services: Services, access: str, refresh: str, clock: SetClock) -> None:
    await services.sessions.refresh(refresh)
    clock.seconds += 60
    with pytest.raises(TokenRejected):
        await services.sessions.refresh(refresh)


REVOKE = pytest.mark.parametrize(
    "revoke", [_log_out, _change_password, _delete_account, _use_a_refresh_token_again]
)


@REVOKE
async def test_what_this_process_revokes_ends_before_the_caller_is_answered(
    services: Services, clock: SetClock, revoke: Revoke
) -> None:
    access, refresh = await _log_in(services)
    other, _ = await _log_in(services, "grace")
    await services.authenticator.authenticate(access)
    await services.authenticator.authenticate(other)
    await revoke(services, access, refresh, clock)
    with pytest.raises(TokenRejected):
        await services.authenticator.authenticate(access)
    assert services.verified.get_active(access) is None
    assert services.verified.get(other) is not None, "nobody else is concerned"


@REVOKE
async def test_a_request_under_way_brings_no_revoked_token_back(
    services: Services, clock: SetClock, revoke: Revoke
) -> None:
    access, refresh = await _log_in(services)
    services.hold = hold = Hold()
    under_way = asyncio.create_task(services.authenticator.authenticate(access))
    await hold.given.wait()
    await revoke(services, access, refresh, clock)
    hold.go_on.set()
    await under_way
    with pytest.raises(TokenRejected):
        await services.authenticator.authenticate(access)
