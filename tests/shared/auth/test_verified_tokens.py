"""The tokens that need no verifying: remembered while they are good, and not a moment longer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from shared.auth import verified_tokens
from shared.auth.accounts import AccountService
from shared.auth.hash_renewal import HashRenewal
from shared.auth.password_hasher import PasswordHasher
from shared.auth.tokens import TokenCodec
from shared.auth.verified_tokens import VerifiedTokens
from shared.clock import system_clock
from shared.decisions.sessions import TokenStatus
from shared.errors import TokenRejected
from shared.models import Bearer, Token
from shared.settings import load_settings
from shared.store import Revocation, Store
from shared.store.opening import open_store

KEY = "a-key-for-the-tests-of-more-than-32-bytes"
NOW = 1_795_362_300
PASSWORD = "correct horse battery staple"
HERE = "192.0.2.1"


class Clock:
    def __init__(self) -> None:
        self.seconds: float = NOW

    def __call__(self) -> int:
        return int(self.seconds * 1_000_000)

    def uptime(self) -> float:
        return self.seconds - 1000


def token(user_id: int, exp: int = NOW + 60) -> Token:
    return Token("access", user_id, "0" * 32, NOW, exp, None)


def known(verified: VerifiedTokens, text: str, token: Token) -> None:
    """The token was verified, and the store found it active."""
    verified.keep(text, token)
    verified.mark_active(text, verified.revocations_heard)


def test_a_token_is_known_until_it_expires() -> None:
    clock = Clock()
    verified = VerifiedTokens(clock, clock.uptime)
    known(verified, "a", token(1))
    clock.seconds = NOW + 59.999_999
    assert verified.get("a") == token(1)
    clock.seconds = NOW + 60
    assert verified.get("a") is None
    assert verified.get_active("a") is None


def test_a_token_is_taken_for_active_for_a_second() -> None:
    clock = Clock()
    verified = VerifiedTokens(clock, clock.uptime)
    verified.keep("a", token(1))
    assert verified.get_active("a") is None
    verified.mark_active("a", verified.revocations_heard)
    clock.seconds = NOW + 0.999_999
    assert verified.get_active("a") == token(1)
    clock.seconds = NOW + 1
    assert verified.get_active("a") is None


def test_how_long_a_token_is_taken_for_active_is_not_for_the_clock_to_say() -> None:
    clock, seconds = Clock(), 0.0
    verified = VerifiedTokens(clock, lambda: seconds)
    known(verified, "a", token(1))
    clock.seconds = NOW - 86_400
    seconds = 0.999
    assert verified.get_active("a") == token(1)
    seconds = 1.0
    assert verified.get_active("a") is None


def test_a_revocation_ends_all_tokens_of_its_user_and_no_others() -> None:
    verified = VerifiedTokens(Clock())
    for text, user_id in (("a", 1), ("b", 1), ("c", 2), ("d", 3)):
        known(verified, text, token(user_id))
    verified.on_revocations([Revocation(1, "family"), Revocation(3, None)])
    assert [verified.get(text) for text in "abcd"] == [None, None, token(2), None]
    assert [verified.get_active(text) for text in "abcd"] == [None, None, token(2), None]


def test_what_was_found_before_a_revocation_is_not_kept_after_it() -> None:
    verified = VerifiedTokens(Clock())
    verified.keep("a", token(1))
    heard = verified.revocations_heard
    verified.on_revocations([Revocation(2, None)])
    verified.mark_active("a", heard)
    assert verified.get_active("a") is None


def test_the_number_of_tokens_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verified_tokens, "_ENTRIES_MAX", 100)
    verified = VerifiedTokens(Clock())
    for number in range(1050):
        known(verified, str(number), token(number))
        assert verified.get(str(number)) is not None
    assert sum(verified.get(str(number)) is not None for number in range(1050)) <= 100


class Hold:
    """One answer of the store that is true when it is given, and comes late."""

    def __init__(self) -> None:
        self.given = asyncio.Event()
        self.go_on = asyncio.Event()


class House:
    """The accounts on a real store; how often it is asked for a status is counted, one answer can be held back."""

    def __init__(self, store: Store, hasher: PasswordHasher, clock: Clock) -> None:
        self.asked = 0
        self.hold: Hold | None = None
        self._read_status = store.token_status
        store.token_status = self._status  # type: ignore[method-assign]
        settings = load_settings({"TASKBEAM_BCRYPT_ROUNDS": "4", "TASKBEAM_ROTATE_REFRESH_TOKENS": "true"})
        codec, self.verified = TokenCodec(KEY, (), clock), VerifiedTokens(clock, clock.uptime)
        renewal = HashRenewal(store, hasher)
        self.accounts = AccountService(
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
def clock() -> Clock:
    clock = Clock()
    clock.seconds = system_clock() // 1_000_000
    return clock


@pytest.fixture
async def house(tmp_path: Path, clock: Clock) -> AsyncIterator[House]:
    settings = load_settings({"TASKBEAM_DATABASE_URL": f"sqlite:///{tmp_path}/taskbeam.db"})
    hasher = PasswordHasher(4, workers=1)
    async with open_store(settings) as store:
        yield House(store, hasher, clock)
    hasher.close()


async def _log_in(house: House, username: str = "ada") -> tuple[str, str]:
    """Access and refresh token of a new user."""
    await house.accounts.register({"username": username, "password": PASSWORD}, HERE)
    pair = await house.accounts.login(username, PASSWORD, HERE)
    assert pair.refresh is not None
    return pair.access, pair.refresh


async def test_a_known_token_is_not_asked_after_again(house: House) -> None:
    access, _ = await _log_in(house)
    tokens = [await house.accounts.authenticate(access) for _ in range(5)]
    assert tokens == [house.accounts.verify_access(access)] * 5
    assert house.asked == 1


async def test_a_known_token_is_asked_after_again_a_second_later(house: House, clock: Clock) -> None:
    access, _ = await _log_in(house)
    await house.accounts.authenticate(access)
    clock.seconds += 1
    await house.accounts.authenticate(access)
    assert house.asked == 2


async def test_identity_is_always_asked_for(house: House) -> None:
    access, _ = await _log_in(house)
    for _ in range(3):
        await house.accounts.identify(await house.accounts.authenticate(access))
    assert house.asked == 4


async def test_an_expired_token_is_refused_in_the_words_of_an_unknown_one(house: House, clock: Clock) -> None:
    access, _ = await _log_in(house)
    known = await house.accounts.authenticate(access)
    clock.seconds = known.exp
    for _ in range(2):
        with pytest.raises(TokenRejected, match="Token is expired"):
            await house.accounts.authenticate(access)


async def test_refused_tokens_are_not_remembered(house: House) -> None:
    access, refresh = await _log_in(house)
    for bad in (refresh, access[:-4], "", "x"):
        with pytest.raises(TokenRejected):
            await house.accounts.authenticate(bad)
        assert house.verified.get(bad) is None
    await house.accounts.logout(refresh)
    for asked in (2, 3):
        with pytest.raises(TokenRejected, match="Token is blacklisted"):
            await house.accounts.authenticate(access)
        assert house.asked == asked  # the first was the logout's


async def _bearer(house: House, access: str) -> Bearer:
    token = house.accounts.verify_access(access)
    return Bearer((await house.accounts.identify(token)).user, token.sid, HERE)


Revoke = Callable[[House, str, str, Clock], Awaitable[None]]


async def _log_out(house: House, access: str, refresh: str, clock: Clock) -> None:
    await house.accounts.logout(refresh)


async def _change_password(house: House, access: str, refresh: str, clock: Clock) -> None:
    bearer = await _bearer(house, access)
    await house.accounts.change_password(bearer, {"current_password": PASSWORD, "password": "another one"})


async def _delete_account(house: House, access: str, refresh: str, clock: Clock) -> None:
    bearer = await _bearer(house, access)
    await house.accounts.delete_account(bearer, {"current_password": PASSWORD})


async def _use_a_refresh_token_again(house: House, access: str, refresh: str, clock: Clock) -> None:
    await house.accounts.refresh(refresh)
    clock.seconds += 60
    with pytest.raises(TokenRejected):
        await house.accounts.refresh(refresh)


REVOKE = pytest.mark.parametrize(
    "revoke", [_log_out, _change_password, _delete_account, _use_a_refresh_token_again]
)


@REVOKE
async def test_what_this_process_revokes_ends_before_the_caller_is_answered(
    house: House, clock: Clock, revoke: Revoke
) -> None:
    access, refresh = await _log_in(house)
    other, _ = await _log_in(house, "grace")
    await house.accounts.authenticate(access)
    await house.accounts.authenticate(other)
    await revoke(house, access, refresh, clock)
    with pytest.raises(TokenRejected):
        await house.accounts.authenticate(access)
    assert house.verified.get_active(access) is None
    assert house.verified.get(other) is not None, "nobody else is concerned"


@REVOKE
async def test_a_request_under_way_brings_no_revoked_token_back(
    house: House, clock: Clock, revoke: Revoke
) -> None:
    access, refresh = await _log_in(house)
    house.hold = hold = Hold()
    under_way = asyncio.create_task(house.accounts.authenticate(access))
    await hold.given.wait()
    await revoke(house, access, refresh, clock)
    hold.go_on.set()
    await under_way
    with pytest.raises(TokenRejected):
        await house.accounts.authenticate(access)
