"""How the services of accounts, sessions and tokens are put together; the same in both processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from shared.auth.accounts import AccountService
from shared.auth.authenticator import Authenticator
from shared.auth.hash_renewal import HashRenewal
from shared.auth.login_attempts import LoginAttempts
from shared.auth.password_check import PasswordCheck
from shared.auth.password_hasher import PasswordHasher
from shared.auth.sessions import SessionService
from shared.auth.shared_attempts import SharedAttempts
from shared.auth.tokens import TokenCodec
from shared.auth.verified_tokens import VerifiedTokens
from shared.clock import BOOT, Clock, ClockReading, system_clock, uptime
from shared.settings import Settings
from shared.store import Store


class AuthServices(NamedTuple):
    """Each is for all users and for either transport."""

    accounts: AccountService
    sessions: SessionService
    authenticator: Authenticator


def make_auth_services(
    store: Store,
    hasher: PasswordHasher,
    codec: TokenCodec,
    verified: VerifiedTokens,
    renewal: HashRenewal,
    settings: Settings,
    clock: Clock = system_clock,
    uptime: Callable[[], float] = uptime,
    shared_attempts: SharedAttempts | None = None,
) -> AuthServices:
    """Services that share what they know of failed logins and of verified tokens.

    Args:
        shared_attempts: those that are counted on all machines together; ``None`` where there is one.
    """

    def now() -> ClockReading:
        return ClockReading(clock() // 1_000_000, uptime(), BOOT)

    attempts = LoginAttempts(settings.login_attempts_per_minute, uptime, shared_attempts)
    passwords = PasswordCheck(store, hasher, attempts)
    authenticator = Authenticator(store, codec, verified)
    return AuthServices(
        AccountService(
            store,
            hasher,
            attempts,
            passwords,
            verified,
            settings.password_min_length,
            settings.allow_registration,
            clock,
            now,
        ),
        SessionService(store, codec, authenticator, passwords, renewal, verified, settings, now),
        authenticator,
    )
