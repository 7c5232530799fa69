"""Whether a password is an account's: bounded guesses, the hashing pool's queue, and the same time for every mismatch."""

from __future__ import annotations

import logging
from typing import Final

from shared.auth.fair_semaphore import Requester
from shared.auth.login_attempts import LoginAttempts
from shared.auth.password_hasher import PasswordHasher
from shared.errors import UserGone
from shared.metrics.catalogue import FAILED_LOGINS
from shared.models import Bearer, User
from shared.rules.accounts import username_key
from shared.store import Store
from shared.store.records import LoginRecord

log = logging.getLogger(__name__)
_failed = FAILED_LOGINS.child()

TRIES: Final = 3  # a password that was changed while it was checked is checked again


class PasswordCheck:
    """Each check is a guess. It counts when it is wrong, not when it could not be tried.

    All methods raise Throttled, and Unavailable when too many passwords wait.
    """

    def __init__(self, store: Store, hasher: PasswordHasher, attempts: LoginAttempts) -> None:
        self._store = store
        self._hasher = hasher
        self._attempts = attempts

    async def user_by_credentials(self, username: str, password: str, address: str) -> User | None:
        """The user with this name and password. Takes as long for an unknown user as for a wrong password."""
        account = username_key(username)
        record = await self._store.login_record(account or "", address)
        trusted_for = address if record.knows_address else None
        matches = await self._matches(record, password, account, address, trusted_for)
        return record.user if matches else None

    async def user_of_bearer(self, bearer: Bearer, password: str) -> User | None:
        """The bearer's account as it is now, if this is its password. Raises UserGone.

        A bearer has logged in before, so their guesses are counted apart from those of others: by their address,
        or by their token's family where the address is new.
        """
        account = username_key(bearer.user.username)
        record = await self._store.login_record(account or "", bearer.address)
        if record.user is None or record.user.id != bearer.user.id:
            raise UserGone
        trusted_for = bearer.address if record.knows_address else bearer.sid
        matches = await self._matches(record, password, account, bearer.address, trusted_for)
        return record.user if matches else None

    async def _matches(
        self, record: LoginRecord, password: str, account: str | None, address: str, trusted_for: str | None
    ) -> bool:
        guess = self._attempts.guess(account, address, trusted_for=trusted_for)
        guess.refuse_if_locked()
        encoded = record.user.password if record.user else None
        try:
            matches = await self._hasher.check(
                password, encoded, Requester(address, account or ""), guess.admit, record.dearest
            )
        except BaseException:
            guess.forgive_soon()
            raise
        if matches:
            await guess.forgive()
        else:
            _failed.value += 1
            log.info("failed login from %s", address)  # fail2ban reads this: docs/howto/monitor.md
        return matches
