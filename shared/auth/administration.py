"""What an operator does with accounts, whose passwords are not asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from shared.auth.fair_semaphore import Requester
from shared.auth.password_check import TRIES
from shared.auth.password_hasher import PasswordHasher
from shared.clock import Clock, ClockReading, read_clocks, system_clock
from shared.errors import Unavailable
from shared.models import User
from shared.rules.accounts import clean_new_password, clean_username, username_key
from shared.store import Store

_REQUESTER: Final = Requester("operator", "")


class Administration:
    """Users are named as they name themselves. ``None`` and False: there is no such user."""

    def __init__(
        self,
        store: Store,
        hasher: PasswordHasher,
        password_min_length: int,
        clock: Clock = system_clock,
        now: Callable[[], ClockReading] = read_clocks,
    ) -> None:
        self._store = store
        self._hasher = hasher
        self._password_min_length = password_min_length
        self._clock = clock
        self._now = now

    async def find(self, username: str) -> User | None:
        key = username_key(username)
        return None if key is None else await self._store.user_by_key(key)

    async def add(self, username: str, password: str) -> User:
        """Make an account, by the rules of a registration. Raises ValidationFailed."""
        name = clean_username({"username": username})
        encoded = await self._hash(password)
        return await self._store.add_user(name, username_key(name) or "", encoded, self._clock())

    async def set_password(self, username: str, password: str) -> bool:
        """All the user's tokens end. Raises ValidationFailed."""
        encoded = await self._hash(password)
        return await self._repeat(username, lambda user: self._store.set_password(user, encoded, self._now()))

    async def delete(self, username: str) -> bool:
        """The account is gone, and all that is theirs."""
        return await self._repeat(username, lambda user: self._store.delete_user(user, self._now()))

    async def set_active(self, username: str, is_active: bool) -> bool:
        """Disable a user, whose tokens and sockets end, or enable them again; the tokens stay ended."""
        user = await self.find(username)
        return user is not None and await self._store.set_active(user.id, is_active, self._now())

    async def _hash(self, password: str) -> str:
        cleaned = clean_new_password({"password": password}, self._password_min_length)
        return await self._hasher.hash(cleaned, _REQUESTER)

    async def _repeat(self, username: str, change: Callable[[User], Awaitable[bool]]) -> bool:
        """Try again where the user's own hand has changed the account meanwhile."""
        for _ in range(TRIES):
            user = await self.find(username)
            if user is None:
                return False
            if await change(user):
                return True
        raise Unavailable("the account is being changed by others")
