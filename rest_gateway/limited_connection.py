"""A connection as `rest_gateway.connection_limits` sees it: what it waits for, and how it ends.

It ends so that its peer still reads the last answer.
"""

from __future__ import annotations

import asyncio
import fcntl
import struct
import termios
from time import monotonic
from typing import Any, Final, cast

from aiohttp import web
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler

from rest_gateway.errors import BodyRefused, Refusal, refusal_bytes
from shared.request_ids import new_request_id

_LINGER_SECONDS: Final = 1.0  # for a client to read its last answer before the connection ends


class ConnectionStates:
    """A table for each state: the connections in it, in the order in which they entered it, and since when.

    Times are those of `time.monotonic`: a loop's own time may stand still while many connections come.
    """

    def __init__(self) -> None:
        self.silent: dict[LimitedConnection, float] = {}  # nothing has come
        self.heads: dict[LimitedConnection, float] = {}  # a part of a head has come
        self.bodies: dict[LimitedConnection, float] = {}  # a part of a body has come
        self.idle: dict[LimitedConnection, float] = {}  # answered; nothing has come since
        self.leaving: dict[LimitedConnection, float] = {}  # refused
        # Beside its state: bytes that wait for the peer, and since when.
        self.sending: dict[LimitedConnection, tuple[int, float]] = {}


class LimitedConnection(RequestHandler):
    """aiohttp's. ``state`` is the one table of ``states`` that it stands in; ``None`` while a request is handled."""

    __slots__ = (
        "_answered",
        "_ignores_input",
        "_peer_left",
        "body",
        "body_since",
        "body_started",
        "open_transport",
        "peer_has_ended",
        "state",
        "states",
    )

    def __init__(
        self, server: web.Server, states: ConnectionStates, loop: asyncio.AbstractEventLoop, **kwargs: Any
    ) -> None:
        super().__init__(server, loop=loop, **kwargs)
        self.states = states
        self.state: dict[LimitedConnection, float] | None = None
        self.open_transport: asyncio.Transport | None = None  # aiohttp's own goes when it begins to close
        self.peer_has_ended = False  # it sends no more
        self.body: StreamReader | None = None  # the one that is being received
        self.body_started = 0.0
        self.body_since = 0.0  # when its last part came
        self._answered = 0
        self._ignores_input = False
        self._peer_left: asyncio.Event | None = None  # for ``_linger``

    def enter(self, state: dict[LimitedConnection, float] | None, since: float | None = None) -> None:
        """From now on it waits for something else; ``since`` is now, where not given."""
        if self.state is not None:
            del self.state[self]
        self.state = state
        if state is not None:
            state[self] = monotonic() if since is None else since

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.open_transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.enter(None)
        self.states.sending.pop(self, None)
        self.open_transport = None
        if self._peer_left is not None:
            self._peer_left.set()
        super().connection_lost(exc)

    def _is_busy(self) -> bool:
        """A request of it is still to be answered."""
        return self._request_count > self._answered

    def is_reading_paused(self) -> bool:
        """Nothing is read from it for the moment: it has sent more requests than are handled at once."""
        return self._reading_paused or self._buffer_paused

    def refuse(self, refusal: Refusal) -> None:
        """Answer where no request was read, and close."""
        self._ignores_input = True
        transport = self.open_transport
        if transport is None or transport.is_closing():
            return
        transport.write(refusal_bytes(refusal, new_request_id()))
        self._leave()

    def refuse_body(self, refusal: Refusal) -> None:
        """No more of the body is read; the handler that reads it gets BodyRefused, and its answer is the last one."""
        self._ignores_input = True
        self._lingering_time = 0.0
        if not self._is_busy():  # its answer has gone out already; aiohttp waits for the body until the end
            self._leave()
            return
        body, self.body = self.body, None
        self.enter(None)
        if body is not None:
            body.set_exception(BodyRefused(refusal))

    def _leave(self) -> None:
        """Send no more, and wait for the peer to close.

        To close while bytes arrive resets the connection, and the peer may never see what it was answered.
        """
        transport = self.open_transport
        if transport is None or transport.is_closing():
            return
        if not self.peer_has_ended:
            end_output(transport)
        self.enter(self.states.leaving)

    async def _linger(self, transport: asyncio.Transport) -> None:
        """Wait as ``_leave`` does, before aiohttp closes the connection."""
        if self.peer_has_ended:
            return
        self._peer_left = asyncio.Event()
        end_output(transport)
        try:
            async with asyncio.timeout(_LINGER_SECONDS):
                await self._peer_left.wait()
        except TimeoutError:
            pass

    def drop_half_request(self) -> None:
        """The process stops: half a request is not waited for; one before it is."""
        current = self._current_request
        if current is None or current.content is self.body:
            self.force_close()

    def force_close(self) -> None:
        if self.open_transport is not None and self.open_transport.get_write_buffer_size():
            self._watch_sending()
        super().force_close()

    def abort(self) -> None:
        """End it at once; nothing more is sent."""
        self.enter(None)
        if self.open_transport is not None:
            self.open_transport.abort()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_sending()

    def _watch_sending(self) -> None:
        """From now on the peer must go on reading."""
        self.states.sending[self] = self.unsent_bytes(), monotonic()

    def unsent_bytes(self) -> int:
        """What waits for the peer, in this process and in the kernel."""
        transport = self.open_transport
        if transport is None:
            return 0
        waiting = transport.get_write_buffer_size()
        try:
            raw = transport.get_extra_info("socket")
            (queued,) = struct.unpack("i", fcntl.ioctl(raw.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))
        except (OSError, ValueError):
            return waiting
        return waiting + int(queued)


def end_output(transport: asyncio.Transport) -> None:
    """Close our side, behind what waits to be sent; of a peer that has cut the connection, all of it."""
    try:
        transport.write_eof()
    except (OSError, RuntimeError):  # asyncio's transport and uvloop's, where the peer was faster
        transport.abort()
