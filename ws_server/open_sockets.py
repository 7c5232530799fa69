"""All open sockets of a server: what they share, their keep-alive, and their end."""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple, Protocol

from ws_server.deadlines import Deadlines

_DRAIN_CHECK_SECONDS: Final = 0.1
_KEEP_ALIVE_STEPS: Final = 200  # in which all sockets have their turn


class Timeouts(NamedTuple):
    """Times, in seconds."""

    ping: float = 20.0  # between two checks whether a peer is still there
    close: float = 10.0  # for the peer to answer a close frame; then the connection is cut
    stop: float = 2.0  # the same, once the server stops
    work: float = 30.0  # for the messages that a peer had sent before its connection was lost


class OpenSocket(Protocol):
    """What is known here of a socket, see ``ws_server.transport``."""

    @property
    def is_closing(self) -> bool: ...

    @property
    def buffered(self) -> int: ...

    def keep_alive(self) -> None: ...
    def abort(self) -> None: ...


class OpenSockets:
    """Those that are connected, and those whose client has disconnected and left work to be done."""

    def __init__(self, deadlines: Deadlines, timeouts: Timeouts | None = None) -> None:
        self.deadlines = deadlines
        self.timeouts = timeouts or Timeouts()
        self.loop = asyncio.get_running_loop()
        self.sockets: set[OpenSocket] = set()
        self._empty: asyncio.Future[None] | None = None

    def add(self, socket: OpenSocket) -> None:
        self.sockets.add(socket)

    def remove(self, socket: OpenSocket) -> None:
        """It has ended, and so has all its work."""
        self.sockets.discard(socket)
        if self._empty is not None and not self.sockets and not self._empty.done():
            self._empty.set_result(None)

    async def keep_alive(self) -> None:
        """Check every socket once a period, evenly spread; to be run as one supervised task."""
        while True:
            sockets = list(self.sockets)
            share = max(1, len(sockets) // _KEEP_ALIVE_STEPS)
            pause = self.timeouts.ping * share / max(share, len(sockets))
            for start in range(0, max(1, len(sockets)), share):
                for socket in sockets[start : start + share]:
                    socket.keep_alive()
                await asyncio.sleep(pause)

    async def drain(self, seconds: float) -> int:
        """Wait until the last socket has ended; returns how many had to be cut after ``seconds``.

        One that has had all its frames is cut after ``timeouts.stop``.
        """
        self._empty = self.loop.create_future()
        end = self.loop.time() + seconds
        complete_since: dict[OpenSocket, float] = {}
        while self.sockets and (now := self.loop.time()) < end:
            for socket in list(self.sockets):
                if not socket.is_closing or socket.buffered:
                    complete_since.pop(socket, None)
                elif now - complete_since.setdefault(socket, now) >= self.timeouts.stop:
                    socket.abort()
            await asyncio.wait([self._empty], timeout=_DRAIN_CHECK_SECONDS)
        for socket in list(self.sockets):
            socket.abort()
        return len(self.sockets)
