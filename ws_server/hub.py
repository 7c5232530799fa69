"""The live sockets by user: hands each change to all sockets of its user, in the order of the log.

A write's answer *is* its change's frame. So that a requester gets it at its place in the order,
whoever else is writing, the write carries a ``write_id`` into the log, and the requester's socket
knows its own change by it when the feed brings it by.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
from collections.abc import Coroutine
from typing import Any, Protocol

import msgspec

from shared.models import Change, Token
from shared.store import Revocation
from shared.wire import change_frame
from ws_server.close_codes import Disconnect
from ws_server.frames import text_on_the_wire

log = logging.getLogger(__name__)


class Push(msgspec.Struct):
    """A change on its way to the sockets of its user, and its frame."""

    change: Change
    frame: bytes
    _on_the_wire: bytes | None = None

    @property
    def on_the_wire(self) -> bytes:
        """Made once for all sockets, and not at all for the requester, whose frame has its id."""
        if self._on_the_wire is None:
            self._on_the_wire = text_on_the_wire(self.frame)
        return self._on_the_wire


class Subscriber(Protocol):
    """What the hub knows of a connection. ``token`` is that of one that is authenticated, or about to be."""

    @property
    def token(self) -> Token | None: ...

    def on_change(self, push: Push) -> None: ...
    def on_revocation(self, sid: str | None) -> None: ...
    def start_leaving(self, disconnect: Disconnect) -> None: ...


class Hub:
    """A listener of the change feed, see ``shared.feed.tail.FeedListener``."""

    def __init__(self) -> None:
        self._by_user: dict[int, set[Subscriber]] = {}
        self._all: set[Subscriber] = set()
        self._chores: set[asyncio.Task[None]] = set()
        # Unlike that of any other process, living or dead, with the same log.
        self._write_ids = itertools.count(secrets.randbits(30) << 32)

    def __len__(self) -> int:
        return len(self._all)

    def next_write_id(self) -> int:
        return next(self._write_ids)

    def enter(self, subscriber: Subscriber) -> None:
        self._all.add(subscriber)

    def leave(self, subscriber: Subscriber) -> None:
        self._all.discard(subscriber)

    def subscribe(self, user_id: int, subscriber: Subscriber) -> None:
        """From now on the subscriber hears of every change of the user."""
        self._by_user.setdefault(user_id, set()).add(subscriber)

    def unsubscribe(self, user_id: int, subscriber: Subscriber) -> None:
        if subscribers := self._by_user.get(user_id):
            subscribers.discard(subscriber)
            if not subscribers:
                del self._by_user[user_id]

    def connections_of(self, user_id: int) -> int:
        return len(self._by_user.get(user_id, ()))

    def subscribers(self) -> list[Subscriber]:
        """All, as of now."""
        return list(self._all)

    def wants_changes(self) -> bool:
        return bool(self._by_user)

    def on_changes(self, changes: list[Change]) -> None:
        for change in changes:
            if subscribers := self._by_user.get(change.user_id):
                push = Push(change, change_frame(change))
                for subscriber in subscribers:
                    subscriber.on_change(push)

    def on_revocations(self, revocations: list[Revocation]) -> None:
        for revocation in revocations:
            for subscriber in self._by_user.get(revocation.user_id, ()):
                subscriber.on_revocation(revocation.sid)

    def spawn(self, chore: Coroutine[Any, Any, None]) -> None:
        """Run something short beside the connections; bounded by what it waits for, and its failure is logged."""
        task = asyncio.get_running_loop().create_task(chore)
        self._chores.add(task)
        task.add_done_callback(self._chore_done)

    def _chore_done(self, task: asyncio.Task[None]) -> None:
        self._chores.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a connection's chore failed", exc_info=error)

    def close_all(self, disconnect: Disconnect) -> None:
        """Close every connection as soon as its request in progress is answered."""
        for subscriber in list(self._all):
            subscriber.start_leaving(disconnect)
