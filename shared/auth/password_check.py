"""Whether a password is an account's: within the bounds for guesses, in the hashing pool's queue, in even time."""

from __future__ import annotations

from shared.auth.login_attempts import LoginAttempts
from shared.auth.password_hasher import PasswordHasher
from shared.auth.turns import Requester
from shared.errors import UserGone
from shared.models import Bearer, User
from shared.rules.accounts import username_key
from shared.store import LoginRecord, Store


class PasswordCheck:
    """Each check is a guess, which counts when it is wrong, not when it could not be tried.

    All methods raise Throttled, and Unavailable when too many passwords wait.
    """

    def __init__(self, store: Store, hasher: PasswordHasher, attempts: LoginAttempts) -> None:
        self._store = store
        self._hasher = hasher
        self._attempts = attempts

    async def user_of(self, username: str, password: str, address: str) -> User | None:
        """Whose name and password these are. Takes as long for an unknown user as for a wrong password."""
        account = username_key(username)
        record = await self._store.login_record(account or "", address)
        trusted_for = address if record.knows_address else None
        matches = await self._is_right(record, password, account, address, trusted_for)
        return record.user if matches else None

    async def is_bearers(self, bearer: Bearer, password: str) -> User | None:
        """The bearer's account as it is now, when this is its password. Raises UserGone.

        Where its address is not known, the token's family stands for it: the bearer has logged in before.
        """
        account = username_key(bearer.user.username)
        record = await self._store.login_record(account or "", bearer.address)
        if record.user is None or record.user.id != bearer.user.id:
            raise UserGone
        trusted_for = bearer.address if record.knows_address else bearer.sid
        matches = await self._is_right(record, password, account, bearer.address, trusted_for)
        return record.user if matches else None

    async def _is_right(
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
            guess.forgive()
            raise
        if matches:
            guess.forgive()
        return matches
