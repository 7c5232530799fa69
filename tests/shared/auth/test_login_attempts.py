"""Who is locked by whose failed logins."""

from __future__ import annotations

import logging

import pytest

from shared.auth.login_attempts import LoginAttempts
from shared.errors import Throttled

HOME, ELSEWHERE = "192.0.2.1", "192.0.2.2"


async def _fail(
    attempts: LoginAttempts, account: str | None, address: str, trusted_for: str | None = None
) -> bool:
    """Whether it was let through."""
    guess = attempts.guess(account, address, trusted_for=trusted_for)
    try:
        guess.refuse_if_locked()
        await guess.admit()
    except Throttled:
        return False
    return True


async def test_an_account_has_so_many_guesses_from_anywhere() -> None:
    attempts = LoginAttempts(3)
    assert [await _fail(attempts, "ann", f"192.0.2.{number}") for number in range(5)] == [True] * 3 + [
        False
    ] * 2
    assert await _fail(attempts, "bob", "192.0.2.1")


async def test_wrong_guesses_do_not_lock_an_address_where_the_owner_logged_in() -> None:
    attempts = LoginAttempts(3)
    for number in range(20):
        await _fail(attempts, "ann", f"198.51.100.{number}")
    assert [await _fail(attempts, "ann", HOME, trusted_for=HOME) for _ in range(4)] == [True] * 3 + [False]
    assert [await _fail(attempts, "ann", ELSEWHERE, trusted_for="a token family") for _ in range(4)] == [
        True
    ] * 3 + [False]


async def test_failures_at_home_do_not_lock_the_account_elsewhere() -> None:
    attempts = LoginAttempts(3)
    for _ in range(5):
        await _fail(attempts, "ann", HOME, trusted_for=HOME)
    assert await _fail(attempts, "ann", ELSEWHERE)


async def test_an_address_has_five_times_as_many_attempts_for_all_accounts_together() -> None:
    attempts = LoginAttempts(2)
    assert [await _fail(attempts, None if number % 2 else f"{number}", HOME) for number in range(12)] == (
        [True] * 10 + [False] * 2
    )
    assert not await _fail(attempts, "ann", HOME, trusted_for=HOME)
    with pytest.raises(Throttled):
        await attempts.register(HOME)


async def test_a_forgiven_guess_is_not_counted() -> None:
    attempts = LoginAttempts(1)
    for _ in range(20):
        guess = attempts.guess("ann", HOME)
        await guess.admit()
        await guess.forgive()
        guess.forgive_soon()
    assert await _fail(attempts, "ann", HOME)


async def test_registrations_do_not_lock_logins() -> None:
    attempts = LoginAttempts(2)
    for _ in range(10):
        await attempts.register(HOME)
    with pytest.raises(Throttled):
        await attempts.register(HOME)
    assert await _fail(attempts, "ann", HOME)
    (await attempts.register(ELSEWHERE)).forgive_soon()


async def test_a_registration_can_be_taken_back() -> None:
    attempts = LoginAttempts(1)
    for _ in range(20):
        (await attempts.register(HOME)).forgive_soon()
    await attempts.register(HOME)


async def test_a_locked_address_is_logged_once_and_not_too_many_are(caplog: pytest.LogCaptureFixture) -> None:
    attempts = LoginAttempts(1)

    async def lock(address: str) -> None:
        for _ in range(8):
            await _fail(attempts, None, address)

    await lock(HOME)
    assert [record.getMessage() for record in caplog.records] == [
        f"throttled: too many failed logins from {HOME} within a minute"
    ]
    assert caplog.records[0].levelno == logging.WARNING
    for number in range(50):
        await lock(f"198.51.100.{number}")
    assert 10 < len(caplog.records) < 30
