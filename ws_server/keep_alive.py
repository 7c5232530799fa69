"""Whether a peer is still there: the rules of the keep-alive, without any I/O of their own.

A ping goes out at each look, unless the last one is still unanswered. It may wait behind an answer that takes its time
to arrive, so its clock runs only once it has left; before that, bytes that leave are the sign of life.
"""

from __future__ import annotations

import asyncio
import fcntl
import sys
import termios
from typing import Final

_STALLED_LOOKS: Final = 2  # without a byte leaving, and the peer is given up
_BYTES_PER_LOOK: Final = (
    1 << 20
)  # that networks and proxies may hold back: so much longer the answer may take
_LOOKS_MAX: Final = 6


def unsent(transport: asyncio.Transport) -> int:
    """Bytes that the peer's host has not confirmed: those in the transport, and (on Linux) in the kernel."""
    waiting = transport.get_write_buffer_size()
    socket = transport.get_extra_info("socket")
    if socket is not None:
        try:
            queued = fcntl.ioctl(socket.fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
        except OSError:  # it is closed, or no such thing is known here
            return waiting
        waiting += int.from_bytes(queued, sys.byteorder)
    return waiting


class Ping:
    """One that is unanswered. All numbers count the bytes of the connection since its beginning.

    Args:
        sent: with the ping, its end.
        taken: of these, what the peer's host has confirmed.
        answered: ``sent`` of the ping that the peer answered last, or 0.
    """

    __slots__ = ("_end", "_looks", "_patience", "_taken")

    def __init__(self, sent: int, taken: int, answered: int) -> None:
        self._end = sent
        self._taken = taken
        self._looks = 0
        self._patience = min(1 + (sent - answered) // _BYTES_PER_LOOK, _LOOKS_MAX)

    @property
    def end(self) -> int:
        return self._end

    def look(self, taken: int) -> bool:
        """Look again, a period later: whether the peer may still be there."""
        waits = self._taken < self._end
        progress = waits and taken > self._taken
        self._taken = max(taken, self._taken)
        if progress:
            self._looks = 0
            return True
        self._looks += 1
        return self._looks < (_STALLED_LOOKS if waits else self._patience)
