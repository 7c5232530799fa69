"""Password hashes of another cost or form are replaced after a login, as Django does; the login does not wait for it."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from shared.auth.fair_semaphore import Requester
from shared.auth.password_hasher import PasswordHasher
from shared.errors import Unavailable
from shared.models import User
from shared.store import Store

_WAITING_MAX: Final = 100
_REQUESTER: Final = Requester("renewal", "")  # waits in the hasher's queue as if it were one address

log = logging.getLogger(__name__)


class HashRenewal:
    """Makes one hash after the other. ``run`` is to be one supervised task."""

    def __init__(self, store: Store, hasher: PasswordHasher) -> None:
        self._store = store
        self._hasher = hasher
        self._waiting: dict[int, tuple[User, str]] = {}  # by user
        self._wanted = asyncio.Event()

    def offer(self, user: User, password: str) -> None:
        """To be called when a user has logged in with this password. Dropped while many wait: there will be another login."""
        if not self._hasher.is_current(user.password) and len(self._waiting) < _WAITING_MAX:
            self._waiting[user.id] = user, password
            self._wanted.set()

    async def run(self) -> None:
        """Renew until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while self._waiting:
                user, password = next(iter(self._waiting.values()))
                try:
                    await self._store.renew_hash(user, await self._hasher.hash(password, _REQUESTER))
                except Unavailable as error:
                    log.info("a password hash was not renewed: %s", error.reason)
                del self._waiting[user.id]
