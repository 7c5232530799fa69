"""All open sockets of a server: what they share, their keep-alive, and their end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

from websockets.protocol import Protocol as Parser

from ws_server.deadlines import Deadlines
from ws_server.inbox import Handler
from ws_server.transport import Socket

_DRAIN_LOOK_SECONDS: Final = 0.1


class Rules(NamedTuple):
    """What all sockets share: ``make_parser`` makes one of an open server connection, ``handler`` begins the life
    of a socket."""

    make_parser: Callable[[], Parser]
    handler: Callable[[Socket], Handler]


class Periods(NamedTuple):
    """Times, in seconds."""

    ping: float = 20.0  # between two looks whether a peer is still there
    close: float = 10.0  # for the peer to answer a close frame; then the connection is cut
    stop: float = 2.0  # the same, once the server stops
    work: float = 30.0  # for what a peer had sent before it was lost


class Listener:
    """``sockets``: those that are connected, or have work of a client's that has left."""

    def __init__(self, rules: Rules, deadlines: Deadlines, periods: Periods | None = None) -> None:
        self.rules = rules
        self.deadlines = deadlines
        self.periods = periods or Periods()
        self.loop = asyncio.get_running_loop()
        self.sockets: set[Socket] = set()
        self._empty: asyncio.Future[None] | None = None

    async def keep_alive(self) -> None:
        """Look after every socket once a period, evenly spread; to be run as one supervised task."""
        while True:
            sockets = list(self.sockets)
            share = max(1, len(sockets) // 200)
            pause = self.periods.ping * share / max(share, len(sockets))
            for start in range(0, max(1, len(sockets)), share):
                for socket in sockets[start : start + share]:
                    socket.keep_alive()
                await asyncio.sleep(pause)

    def remove(self, socket: Socket) -> None:
        """It has ended, and so has all its work."""
        self.sockets.discard(socket)
        if self._empty is not None and not self.sockets and not self._empty.done():
            self._empty.set_result(None)

    async def drain(self, seconds: float) -> int:
        """Wait until the last socket has ended; returns how many had to be cut after ``seconds``.

        One that has had all its frames is cut after ``periods.stop``.
        """
        self._empty = self.loop.create_future()
        end = self.loop.time() + seconds
        complete_since: dict[Socket, float] = {}
        while self.sockets and (now := self.loop.time()) < end:
            for socket in list(self.sockets):
                if not socket.is_ending or socket.buffered:
                    complete_since.pop(socket, None)
                elif now - complete_since.setdefault(socket, now) >= self.periods.stop:
                    socket.abort()
            await asyncio.wait([self._empty], timeout=_DRAIN_LOOK_SECONDS)
        for socket in list(self.sockets):
            socket.abort()
        return len(self.sockets)
