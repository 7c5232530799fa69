"""Requests that wait for their user's next change: long polls and event streams.

A waiter ends with its token (expired or revoked), with its client's connection, and with the process.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Collection
from contextlib import asynccontextmanager
from typing import Final, TypeVar, cast

from aiohttp import web

from rest_gateway.connection import Connection
from shared.auth.authenticator import Authenticator
from shared.connection_limit import ConnectionLimit
from shared.errors import Throttled
from shared.feed import ChangeFeed
from shared.metrics.catalogue import THROTTLED
from shared.models import Change, Revocation, Token

_RETRY_SECONDS: Final = 5.0  # after which one above the limit may ask again

T = TypeVar("T")

_throttled = THROTTLED.child("waiting")


class Waiter:
    """One request that waits."""

    __slots__ = ("_authenticator", "_is_ended", "_token", "_wake")

    def __init__(self, authenticator: Authenticator, token: Token) -> None:
        self._authenticator = authenticator
        self._token = token
        self._wake = asyncio.Event()
        self._is_ended = False

    def wake(self) -> None:
        """There may be something new for it, or its token may be revoked."""
        self._wake.set()

    @property
    def token(self) -> Token:
        """See ``shared.auth.token_watch``."""
        return self._token

    def on_revocation(self, sid: str | None) -> None:
        """See ``shared.auth.token_watch``: what is read next tells."""
        self.wake()

    def end(self) -> None:
        """The client has left, or the process stops."""
        self._is_ended = True
        self._wake.set()

    @property
    def is_over(self) -> bool:
        """Whether nothing more may be sent; a token that was revoked shows in ``read``."""
        return self._is_ended or self._seconds_left() <= 0

    def _seconds_left(self) -> float:
        return self._token.exp - time.time()

    async def wait(self, seconds: float) -> bool:
        """Wait until there may be something new.

        Returns:
            ``False`` where there was nothing for ``seconds``, or the waiter is over.
        """
        try:
            async with asyncio.timeout(min(seconds, self._seconds_left())):
                await self._wake.wait()
        except TimeoutError:
            return False
        self._wake.clear()
        return not self.is_over

    async def read(self, reading: Awaitable[T]) -> T:
        """What is read, where the token was good after it was read: what is newer than a revocation is not handed out.

        Raises:
            TokenRejected: UserGone and UserInactive among them.
        """
        result = await reading
        await self.check()
        return result

    async def check(self) -> None:
        """Ask the store whether the token is good. Raises as ``read``."""
        await self._authenticator.identify(self._token)


class Waiters:
    """All waiters by user; a listener of the change feed, see ``shared.feed.FeedListener``.

    Args:
        limit: of the waiters of a user.
    """

    def __init__(self, feed: ChangeFeed, authenticator: Authenticator, limit: ConnectionLimit) -> None:
        self._feed = feed
        self._authenticator = authenticator
        self._limit = limit
        self._by_user: dict[int, dict[Waiter, None]] = {}  # the oldest first
        self._is_stopping = False
        feed.subscribe(self)

    def users(self) -> Collection[int]:
        return self._by_user.keys()

    def on_changes(self, changes: list[Change]) -> None:
        for user_id in {change.user_id for change in changes}:
            self._wake(user_id)

    def on_revocations(self, revocations: list[Revocation]) -> None:
        for user_id in {revocation.user_id for revocation in revocations}:
            self._wake(user_id)

    def all(self) -> list[Waiter]:
        """Those of all users, as of now."""
        return [waiter for waiters in self._by_user.values() for waiter in waiters]

    def of_user(self, user_id: int) -> Collection[Waiter]:
        """Those who wait for that user's changes."""
        return self._by_user.get(user_id, ())

    async def keep_to_limit(self) -> None:
        """Until cancelled; to be run as one supervised task."""
        await self._limit.run(self)

    # See ``shared.connection_limit.UserConnections``; so is ``users``

    def count(self, user_id: int) -> int:
        return len(self._staying(user_id))

    def end_newest(self, user_id: int, number: int) -> None:
        for waiter in self._staying(user_id)[-number:]:
            waiter.end()

    def _staying(self, user_id: int) -> list[Waiter]:
        return [waiter for waiter in self.of_user(user_id) if not waiter.is_over]

    def _wake(self, user_id: int) -> None:
        for waiter in self.of_user(user_id):
            waiter.wake()

    def stop(self) -> None:
        """End all waiters, and those that still come."""
        self._is_stopping = True
        for waiters in self._by_user.values():
            for waiter in waiters:
                waiter.end()

    @asynccontextmanager
    async def waiting(self, request: web.Request, token: Token) -> AsyncIterator[Waiter]:
        """A waiter for the request, which hears of all that comes after what it reads first.

        Raises:
            Throttled: the user has as many waiters as are allowed.
            Unavailable: the change log cannot be read now.
        """
        waiter = Waiter(self._authenticator, token)
        if not self._limit.allows(token.user_id, len(self.of_user(token.user_id))):
            _throttled.value += 1
            raise Throttled(_RETRY_SECONDS)
        waiters = self._by_user.setdefault(token.user_id, {})
        waiters[waiter] = None
        self._limit.on_change(token.user_id)
        connection = cast(Connection, request.protocol)
        connection.on_disconnect = waiter.end
        if self._is_stopping or connection.peer_has_ended or request.transport is None:
            waiter.end()
        try:
            await self._feed.resume(token.user_id)
            yield waiter
        finally:
            connection.on_disconnect = None
            del waiters[waiter]
            if not waiters:
                del self._by_user[token.user_id]
            self._limit.on_change(token.user_id)
