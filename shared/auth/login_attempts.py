"""How many wrong passwords and registrations are allowed in a minute, for an account and from an address."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from shared.auth.throttle import Throttle, Window
from shared.errors import Throttled
from shared.log_limits import KeyedLimitedLogger
from shared.metrics.catalogue import THROTTLED

_ADDRESS_FACTOR: Final = 5

log = logging.getLogger(__name__)
_addresses, _accounts, _registrations = map(THROTTLED.child, ("address", "account", "registrations"))


class Guess:
    """One password to be checked. It counts from ``admit`` on, unless it is forgiven."""

    def __init__(self, attempts: LoginAttempts, account: str | None, address: str) -> None:
        self._attempts = attempts
        self._account = account
        self._address = address
        self._windows: list[tuple[Throttle, Window]] = []

    def refuse_if_locked(self) -> None:
        """Raises Throttled; counts nothing."""
        attempts = self._attempts
        attempts.refuse_address_if_locked(self._address)
        if self._account is not None:
            attempts.refuse_account_if_locked(self._account)

    def admit(self) -> None:
        """Count it, just before it is tried. Raises Throttled."""
        self.refuse_if_locked()
        attempts = self._attempts
        self._windows.append((attempts.addresses, attempts.addresses.attempt(self._address)))
        if self._account is not None:
            self._windows.append((attempts.accounts, attempts.accounts.attempt(self._account)))

    def forgive(self) -> None:
        """Do not count it: it was right, or could not be tried."""
        for throttle, window in self._windows:
            throttle.forgive(window)
        self._windows.clear()


class LoginAttempts:
    """Counts failed guesses by account and by address, and registrations by address.

    An address that has logged in to an account before has a count of its own for it; the guesses from all other addresses
    are counted together. So others cannot lock the owner out (OWASP's device cookies, by address).

    Args:
        per_minute: failed guesses for an account; from an address five times as many, and five times as many
            registrations. 0 is no limit.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.accounts = Throttle(per_minute, clock)
        self.addresses = Throttle(per_minute * _ADDRESS_FACTOR, clock)
        self._registrations = Throttle(per_minute * _ADDRESS_FACTOR, clock)
        self._warnings = KeyedLimitedLogger(log)

    def guess(self, account: str | None, address: str, *, trusted_for: str | None = None) -> Guess:
        """A guess at an account's password.

        Args:
            account: the key of its name; ``None`` for a name that no account can have.
            trusted_for: names the requester's own count, where they logged in to this account before: the address or
                the token family of that login.
        """
        if account is not None and trusted_for is not None:
            account = f"{account}\0{trusted_for}"
        return Guess(self, account, address)

    def register(self, address: str) -> Callable[[], None]:
        """Count a registration; the result is a function that takes it back. Raises Throttled.

        An address that is locked for failed guesses cannot register either; registrations do not lock its logins.
        """
        self.refuse_address_if_locked(address)
        try:
            window = self._registrations.attempt(address)
        except Throttled:
            _registrations.value += 1
            self._warn(address, "registrations")
            raise
        return lambda: self._registrations.forgive(window)

    def refuse_address_if_locked(self, address: str) -> None:
        """Raises Throttled, and logs the address, within bounds."""
        try:
            self.addresses.refuse_if_full(address)
        except Throttled:
            _addresses.value += 1
            self._warn(address, "failed logins")
            raise

    def refuse_account_if_locked(self, account: str) -> None:
        """Raises Throttled."""
        try:
            self.accounts.refuse_if_full(account)
        except Throttled:
            _accounts.value += 1
            raise

    def _warn(self, address: str, what: str) -> None:
        self._warnings.warning(
            f"{what} {address}", "throttled: too many %s from %s within a minute", what, address
        )
