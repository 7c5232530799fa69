"""Accepting connections, no more at a time than a process can have.

Left to themselves, asyncio and uvloop accept until the file descriptors run out. Then each failed try is a traceback
in the log, thousands a second, and nothing else in the process can open a file. So the accepting is done here, on
both loops alike, up to a bound. Who comes then waits in the kernel's queue.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Final

from shared.listening import Listening
from shared.telemetry import Seldom

_AT_ONCE: Final = 64  # connections of one socket, before it is the others' turn
_LOOK_SECONDS: Final = 0.02  # how often a full process looks whether there is room
_EXHAUSTED_SECONDS: Final = 0.5  # before the next try where the system itself had nothing left

log = logging.getLogger(__name__)


def _nothing() -> None:
    pass


class Acceptor:
    """Accepts from listening sockets on the running loop, until it is closed; then they are closed.

    Args:
        most: connections at one time.
        count: how many of the protocols made here have a connection: from ``connection_made`` to ``connection_lost``.
        make_room: called when there is no more room, each time that is looked at. It may end connections.
    """

    def __init__(
        self,
        listening: Listening,
        make_protocol: Callable[[], asyncio.Protocol],
        *,
        most: int,
        count: Callable[[], int],
        make_room: Callable[[], None] = _nothing,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._listening = listening
        self._make_protocol = make_protocol
        self._most = most
        self._count = count
        self._make_room = make_room
        self._opening: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._says = Seldom(log)
        self._resume()

    def close(self) -> None:
        """Accept no more; connections that were accepted live on."""
        if self._timer is None:
            self._stop_reading()
        else:
            self._timer.cancel()
        self._listening.close()

    def _resume(self) -> None:
        self._timer = None
        for one in self._listening.sockets:
            self._loop.add_reader(one.fileno(), self._accept, one)

    def _stop_reading(self) -> None:
        for one in self._listening.sockets:
            self._loop.remove_reader(one.fileno())

    def _pause(self, seconds: float) -> None:
        self._stop_reading()
        self._timer = self._loop.call_later(seconds, self._resume)

    def _is_full(self) -> bool:
        return self._count() + len(self._opening) >= self._most

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            if self._is_full():
                self._make_room()
                if self._is_full():
                    self._says.warning(
                        "%d connections are all that there may be: accepting pauses", self._most
                    )
                    self._pause(_LOOK_SECONDS)
                    return
            try:
                connection, _ = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except (
                OSError
            ) as error:  # EMFILE, ENFILE, ENOBUFS, ENOMEM: what was meant to be left over is used up
                self._says.warning("cannot accept connections, accepting pauses: %s", error.strerror)
                self._pause(_EXHAUSTED_SECONDS)
                return
            connection.setblocking(False)
            task = self._loop.create_task(self._open(connection))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _open(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._make_protocol, connection)
        except OSError as error:  # it has ended already
            log.debug("lost a connection before it was opened: %s", error)
            connection.close()
