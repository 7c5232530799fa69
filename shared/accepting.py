"""Accepts connections, up to a maximum.

asyncio and uvloop accept until the file descriptors run out. Then every failed accept logs a traceback, thousands a
second, and nothing else in the process can open a file. So we accept ourselves, on either loop, up to a maximum. Further
clients wait in the kernel's backlog.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Final

from shared.listening import ListeningSockets
from shared.log_limits import LimitedLogger

_ACCEPTS_AT_ONCE: Final = 64  # from one socket, before the loop serves the others
_FULL_SECONDS: Final = 0.02  # before the next accept when the maximum is reached
_EXHAUSTED_SECONDS: Final = 0.5  # before the next accept when the system has no descriptors or memory

log = logging.getLogger(__name__)


def _nothing() -> None:
    pass


class Acceptor:
    """Accepts from listening sockets on the running loop. ``close`` closes them.

    Args:
        max_connections: open at one time.
        count: returns how many protocols made here have a connection (``connection_made`` to ``connection_lost``).
        make_room: called whenever the maximum is reached. It may close connections.
    """

    def __init__(
        self,
        listening: ListeningSockets,
        make_protocol: Callable[[], asyncio.Protocol],
        *,
        max_connections: int,
        count: Callable[[], int],
        make_room: Callable[[], None] = _nothing,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._listening = listening
        self._make_protocol = make_protocol
        self._max_connections = max_connections
        self._count = count
        self._make_room = make_room
        self._opening: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._limited_log = LimitedLogger(log)
        self._resume()

    def close(self) -> None:
        """Stop accepting; accepted connections stay open."""
        if self._timer is None:
            self._stop_reading()
        else:
            self._timer.cancel()
        self._listening.close()

    def _resume(self) -> None:
        self._timer = None
        for listener in self._listening.sockets:
            self._loop.add_reader(listener.fileno(), self._accept, listener)

    def _stop_reading(self) -> None:
        for listener in self._listening.sockets:
            self._loop.remove_reader(listener.fileno())

    def _pause(self, seconds: float) -> None:
        self._stop_reading()
        self._timer = self._loop.call_later(seconds, self._resume)

    def _is_full(self) -> bool:
        return self._count() + len(self._opening) >= self._max_connections

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_ACCEPTS_AT_ONCE):
            if self._is_full():
                self._make_room()
                if self._is_full():
                    self._limited_log.warning(
                        "%d connections are all that there may be: accepting pauses", self._max_connections
                    )
                    self._pause(_FULL_SECONDS)
                    return
            try:
                connection, _ = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # EMFILE, ENFILE, ENOBUFS, ENOMEM: the spare descriptors are used up
                self._limited_log.warning("cannot accept connections, accepting pauses: %s", error.strerror)
                self._pause(_EXHAUSTED_SECONDS)
                return
            connection.setblocking(False)
            task = self._loop.create_task(self._open(connection))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _open(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._make_protocol, connection)
        except OSError as error:  # the client has closed it already
            log.debug("lost a connection before it was opened: %s", error)
            connection.close()
