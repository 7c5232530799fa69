"""The open connections, and the sessions by user: each change goes to all sockets of its user, in the order of the log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Coroutine
from typing import Any, Protocol

from shared.auth.token_watch import TokenHolder
from shared.connection_limit import ConnectionLimit
from shared.metrics.catalogue import PUSHES
from shared.models import Change, Revocation
from shared.wire import change_frame
from ws_server.close_codes import Disconnect
from ws_server.push import Push

log = logging.getLogger(__name__)
_pushes = PUSHES.child()


class ChangeListener(Protocol):
    """What the hub knows of a stream."""

    def on_change(self, push: Push) -> None: ...
    def close(self, disconnect: Disconnect) -> None: ...


class Subscriber(TokenHolder, Protocol):
    """What the hub knows of a session."""

    @property
    def stream(self) -> ChangeListener: ...


class OpenConnection(Protocol):
    """What the hub knows of a connection."""

    @property
    def session(self) -> TokenHolder: ...

    def drain(self, disconnect: Disconnect) -> None: ...


class Hub:
    """A listener of the change feed, see ``shared.feed.FeedListener``.

    Args:
        limit: of the connections of a user.
    """

    def __init__(self, limit: ConnectionLimit) -> None:
        self._limit = limit
        self._by_user: dict[int, dict[Subscriber, None]] = {}  # the oldest first
        self._connections: set[OpenConnection] = set()
        self._background: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    def add(self, connection: OpenConnection) -> None:
        self._connections.add(connection)

    def remove(self, connection: OpenConnection) -> None:
        self._connections.discard(connection)

    def token_holders(self) -> list[TokenHolder]:
        """The sessions of all connections, as of now."""
        return [connection.session for connection in self._connections]

    def drain(self, disconnect: Disconnect) -> None:
        """Close every connection as soon as its request in progress is answered."""
        for connection in list(self._connections):
            connection.drain(disconnect)

    def subscribe(self, user_id: int, subscriber: Subscriber) -> None:
        """From now on the subscriber gets every change and revocation of the user."""
        self._by_user.setdefault(user_id, {})[subscriber] = None
        self._limit.on_change(user_id)

    def unsubscribe(self, user_id: int, subscriber: Subscriber) -> None:
        if subscribers := self._by_user.get(user_id):
            subscribers.pop(subscriber, None)
            if not subscribers:
                del self._by_user[user_id]
            self._limit.on_change(user_id)

    def has_room(self, user_id: int) -> bool:
        """Whether the user may have another connection."""
        return self._limit.allows(user_id, len(self._by_user.get(user_id, ())))

    async def keep_to_limit(self) -> None:
        """Until cancelled; to be run as one supervised task."""
        await self._limit.run(self)

    # See ``shared.connection_limit.UserConnections``; so is ``users``

    def count(self, user_id: int) -> int:
        return len(self._staying(user_id))

    def end_newest(self, user_id: int, number: int) -> None:
        for subscriber in self._staying(user_id)[-number:]:
            subscriber.stream.close(Disconnect.USER_FULL)

    def _staying(self, user_id: int) -> list[Subscriber]:
        """Without those that are closing."""
        return [one for one in self._by_user.get(user_id, ()) if one.token is not None]

    def users(self) -> Collection[int]:
        return self._by_user.keys()

    def on_changes(self, changes: list[Change]) -> None:
        for change in changes:
            if subscribers := self._by_user.get(change.user_id):
                push = Push(change, change_frame(change))
                _pushes.value += len(subscribers)
                for subscriber in subscribers:
                    subscriber.stream.on_change(push)

    def on_revocations(self, revocations: list[Revocation]) -> None:
        for revocation in revocations:
            for subscriber in self._by_user.get(revocation.user_id, ()):
                subscriber.on_revocation(revocation.sid)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something short in the background; a failure is logged."""
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._on_background_done)

    def _on_background_done(self, task: asyncio.Task[None]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a connection's background task failed", exc_info=error)
