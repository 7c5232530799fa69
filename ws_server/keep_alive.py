"""Whether a peer is still there: the rules of the keep-alive, without any I/O of their own.

A ping goes out at each check, unless the last one is still unanswered. It may wait behind an answer that takes its time
to arrive, so its clock runs only once it has left; before that, bytes that leave are the sign of life.
"""

from __future__ import annotations

import asyncio
import fcntl
import sys
import termios
from typing import Final

_STALLED_CHECKS: Final = 2  # without a byte leaving, and the peer is given up
_BYTES_PER_CHECK: Final = (
    1 << 20
)  # that networks and proxies may hold back: so much longer the answer may take
_CHECKS_MAX: Final = 6


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
        confirmed: of these, what the peer's host has confirmed.
        answered: ``sent`` of the ping that the peer answered last, or 0.
    """

    __slots__ = ("_checks", "_checks_allowed", "_confirmed", "_end")

    def __init__(self, sent: int, confirmed: int, answered: int) -> None:
        self._end = sent
        self._confirmed = confirmed
        self._checks = 0
        self._checks_allowed = min(1 + (sent - answered) // _BYTES_PER_CHECK, _CHECKS_MAX)

    @property
    def end(self) -> int:
        return self._end

    def check(self, confirmed: int) -> bool:
        """A period later: whether the peer may still be there."""
        waits = self._confirmed < self._end
        progress = waits and confirmed > self._confirmed
        self._confirmed = max(confirmed, self._confirmed)
        if progress:
            self._checks = 0
            return True
        self._checks += 1
        return self._checks < (_STALLED_CHECKS if waits else self._checks_allowed)
