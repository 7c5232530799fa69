"""Accounts: register, change the password, delete."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from shared.auth.fair_semaphore import Requester
from shared.auth.login_attempts import LoginAttempts
from shared.auth.password_check import TRIES, PasswordCheck
from shared.auth.password_hasher import PasswordHasher
from shared.auth.verified_tokens import VerifiedTokens
from shared.clock import Clock, ClockReading
from shared.errors import RegistrationClosed, Unavailable, ValidationFailed
from shared.models import Bearer, User
from shared.rules.accounts import (
    USERNAME_TAKEN,
    clean_current_password,
    clean_new_password,
    clean_username,
    username_key,
)
from shared.store import Store


class AccountService:
    """The accounts of all users, the same for both transports.

    Args:
        attempts: counts registrations.
        passwords: checks the current password before an account is changed or deleted.
        verified: forgets the tokens that end with a password or an account.
        clock: the time of a registration.
        now: reads the clocks, for what ends tokens.
    """

    def __init__(
        self,
        store: Store,
        hasher: PasswordHasher,
        attempts: LoginAttempts,
        passwords: PasswordCheck,
        verified: VerifiedTokens,
        password_min_length: int,
        allow_registration: bool,
        clock: Clock,
        now: Callable[[], ClockReading],
    ) -> None:
        self._store = store
        self._hasher = hasher
        self._attempts = attempts
        self._passwords = passwords
        self._verified = verified
        self._password_min_length = password_min_length
        self._allow_registration = allow_registration
        self._clock = clock
        self._now = now

    def stop(self) -> None:
        """Refuse the passwords that wait to be hashed, and those that come, at logins too (Unavailable)."""
        self._hasher.refuse_waiting()

    async def register(self, data: Mapping[str, object], address: str) -> User:
        """Make an account.

        Args:
            address: the requester's: an IPv4 address or an IPv6 network of 64 bits.

        Raises:
            RegistrationClosed: the settings allow none.
            ValidationFailed: with the messages of all bad fields at once.
            Throttled: too many registrations from the address.
        """
        if not self._allow_registration:
            raise RegistrationClosed
        attempt = await self._attempts.register(address)
        try:
            return await self._register(data, address)
        except Unavailable:
            attempt.forgive_soon()
            raise

    async def _register(self, data: Mapping[str, object], address: str) -> User:
        errors: dict[str, list[str]] = {}
        username = _collect(errors, clean_username, data)
        key = username_key(username) or ""
        if not errors and await self._store.user_by_key(key):
            errors["username"] = [USERNAME_TAKEN]  # spares the hash; the store decides
        password = _collect(errors, clean_new_password, data, self._password_min_length)
        if errors:
            raise ValidationFailed(errors)
        encoded = await self._hasher.hash(password, Requester(address, key))
        return await self._store.add_user(username, key, encoded, self._clock())

    async def change_password(self, bearer: Bearer, data: Mapping[str, object]) -> None:
        """All the user's tokens end. Raises ValidationFailed, Throttled and UserGone."""
        errors: dict[str, list[str]] = {}
        current = _collect(errors, clean_current_password, data)
        password = _collect(errors, clean_new_password, data, self._password_min_length)
        if errors:
            raise ValidationFailed(errors)
        encoded = None
        for _ in range(TRIES):
            user = await self._passwords.user_of_bearer(bearer, current)
            if user is None:
                break
            if encoded is None:
                requester = Requester(bearer.address, username_key(user.username) or "")
                encoded = await self._hasher.hash(password, requester)
            if await self._store.set_password(user, encoded, self._now()):
                self._verified.forget((user.id,))
                return
        raise _wrong_password()

    async def delete_account(self, bearer: Bearer, data: Mapping[str, object]) -> None:
        """The account and its tasks are gone. Raises ValidationFailed, Throttled and UserGone."""
        current = clean_current_password(data)
        for _ in range(TRIES):
            user = await self._passwords.user_of_bearer(bearer, current)
            if user is None:
                break
            if await self._store.delete_user(user, self._now()):
                self._verified.forget((user.id,))
                return
        raise _wrong_password()


def _collect(errors: dict[str, list[str]], clean: Callable[..., str], *arguments: object) -> str:
    """Clean one field; what is wrong with it joins the other fields' errors."""
    try:
        return clean(*arguments)
    except ValidationFailed as failed:
        errors.update(failed.errors)
        return ""


def _wrong_password() -> ValidationFailed:
    return ValidationFailed({"current_password": ["Wrong password."]})
