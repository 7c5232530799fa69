"""How many wrong passwords and registrations are allowed in a minute, for an account and from an address."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from shared.auth.shared_attempts import SharedAttempts, Windows
from shared.auth.throttle import Throttle, Window, digest
from shared.errors import Throttled
from shared.log_limits import KeyedLimitedLogger
from shared.metrics.catalogue import THROTTLED

_ADDRESS_FACTOR: Final = 5

log = logging.getLogger(__name__)


class _Limit:
    """What is limited. ``what`` is for the log, where addresses are named; ``None``: the key is no address."""

    def __init__(self, name: str, per_minute: int, clock: Callable[[], float], what: str | None) -> None:
        self.throttle = Throttle(per_minute, clock)
        self.refused = THROTTLED.child(name)
        self.what = what
        self._prefix = f"{name}:".encode()

    def shared_key(self, key: str) -> bytes:
        """As the processes of all machines know it."""
        return self._prefix + digest(key)


class Attempt:
    """A password to be checked, or an account to be made. It counts from ``admit`` on, unless it is forgiven."""

    def __init__(self, attempts: LoginAttempts, *limited: tuple[_Limit, str]) -> None:
        self._attempts = attempts
        self._limited = limited
        self._windows: list[tuple[Throttle, Window]] = []
        self._shared_windows: Windows = ()

    def refuse_if_locked(self) -> None:
        """Raises Throttled, as far as this process knows; counts nothing."""
        for limit, key in self._limited:
            self._attempts.refuse_if_locked(limit, key)

    async def admit(self) -> None:
        """Count it, just before it is made. Raises Throttled."""
        self.refuse_if_locked()
        for limit, key in self._limited:
            self._windows.append((limit.throttle, limit.throttle.attempt(key)))
        shared, limits = self._attempts.shared, self._shared_limits()
        if shared is not None and limits:
            try:
                self._shared_windows = await shared.attempt(limits)
            except BaseException as error:
                self.forgive_soon()
                if isinstance(error, Throttled):
                    self.refuse_if_locked()  # which says what was too many
                raise

    async def refuse_if_locked_anywhere(self) -> None:
        """As ``refuse_if_locked``, as far as all machines know together."""
        self.refuse_if_locked()
        shared, limits = self._attempts.shared, self._shared_limits()
        if shared is not None and limits:
            try:
                await shared.ask(limits)
            except Throttled:
                self.refuse_if_locked()
                raise

    def _shared_limits(self) -> dict[bytes, int]:
        return {
            limit.shared_key(key): limit.throttle.limit
            for limit, key in self._limited
            if limit.throttle.limit
        }

    async def forgive(self) -> None:
        """Do not count it: it was right. When this returns, it counts on no machine any more."""
        windows = self._forgive_here()
        if self._attempts.shared is not None:
            await self._attempts.shared.take_back(windows)

    def forgive_soon(self) -> None:
        """Do not count it: it could not be tried."""
        windows = self._forgive_here()
        if self._attempts.shared is not None:
            self._attempts.shared.take_back_soon(windows)

    def _forgive_here(self) -> Windows:
        for throttle, window in self._windows:
            throttle.forgive(window)
        self._windows.clear()
        windows, self._shared_windows = self._shared_windows, ()
        return windows


class LoginAttempts:
    """Counts failed guesses by account and by address, and registrations by address.

    An address that has logged in to an account before has a count of its own for it; the guesses from all other addresses
    are counted together. So others cannot lock the owner out (OWASP's device cookies, by address).

    Args:
        per_minute: failed guesses for an account; from an address five times as many, and five times as many
            registrations. 0 is no limit.
        shared: the counts of all machines; ``None`` where there is one.
    """

    def __init__(
        self,
        per_minute: int,
        clock: Callable[[], float] = time.monotonic,
        shared: SharedAttempts | None = None,
    ) -> None:
        by_address = per_minute * _ADDRESS_FACTOR
        self._accounts = _Limit("account", per_minute, clock, None)
        self._addresses = _Limit("address", by_address, clock, "failed logins")
        self._registrations = _Limit("registrations", by_address, clock, "registrations")
        self._warnings = KeyedLimitedLogger(log)
        self.shared = shared

    def guess(self, account: str | None, address: str, *, trusted_for: str | None = None) -> Attempt:
        """A guess at an account's password.

        Args:
            account: the key of its name; ``None`` for a name that no account can have.
            trusted_for: names the requester's own count, where they logged in to this account before: the address or
                the token family of that login.
        """
        if account is None:
            return Attempt(self, (self._addresses, address))
        if trusted_for is not None:
            account = f"{account}\0{trusted_for}"
        return Attempt(self, (self._addresses, address), (self._accounts, account))

    async def register(self, address: str) -> Attempt:
        """Count a registration. Raises Throttled.

        An address that is locked for failed guesses cannot register either; registrations do not lock its logins.
        """
        await self.guess(None, address).refuse_if_locked_anywhere()
        registration = Attempt(self, (self._registrations, address))
        await registration.admit()
        return registration

    def refuse_if_locked(self, limit: _Limit, key: str) -> None:
        """Raises Throttled, and logs an address, within bounds."""
        try:
            limit.throttle.refuse_if_full(key)
            if self.shared is not None:
                self.shared.refuse_if_full(limit.shared_key(key))
        except Throttled:
            limit.refused.value += 1
            if limit.what is not None:
                self._warnings.warning(
                    f"{limit.what} {key}",
                    "throttled: too many %s from %s within a minute",
                    limit.what,
                    key,
                )
            raise
