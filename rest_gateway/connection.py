"""One TCP connection: aiohttp's, with what it does not do for connections of strangers.

It tells `rest_gateway.connection_limits` what it waits for, so that every wait has an end, and answers in JSON what
the HTTP parser refuses.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import struct
import termios
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, cast

from aiohttp import web
from aiohttp.http import HttpVersion11
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import RequestHandler, _ErrInfo

from rest_gateway.errors import BodyRefused, Refusal, refusal_bytes, refusal_response
from rest_gateway.heads import as_ordinary, is_ordinary
from rest_gateway.request_ids import new_request_id

if TYPE_CHECKING:
    from rest_gateway.connection_limits import LimitedServer

_EMPTY_LINES: Final = (b"\r\n", b"\n")  # between two requests they mean nothing (RFC 9112, section 2.2)
_UPGRADES_MAX: Final = 8  # in one piece: each is read with a copy of all that is behind it
_LINGER_SECONDS: Final = (
    1.0  # for a refused client to read the answer, before the end of the connection takes it away
)

log = logging.getLogger(__name__)


class Connection(RequestHandler):
    """What it waits for is the one table of the server's that it stands in, ``place``; while a request is handled, none."""

    __slots__ = (
        "_answered",
        "_deaf",
        "_gone",
        "_has_begun_next",
        "_server",
        "body",
        "body_since",
        "body_started",
        "has_ended",
        "on_leave",
        "place",
        "transport_kept",
    )

    def __init__(self, server: LimitedServer, loop: asyncio.AbstractEventLoop, **kwargs: Any) -> None:
        super().__init__(server, loop=loop, **kwargs)
        self._server = server
        self._answered = 0
        self._deaf = False
        self.has_ended = False  # the peer sends no more
        self._gone: asyncio.Event | None = None
        self._has_begun_next = False  # a part of a head came ahead, behind what is to be answered
        self.on_leave: Callable[[], None] | None = None  # called where the client leaves a request that waits
        self.place: dict[Connection, float] | None = None
        self.transport_kept: asyncio.Transport | None = None
        self.body: StreamReader | None = None
        self.body_started = 0.0
        self.body_since = 0.0

    def move(self, place: dict[Connection, float] | None, since: float | None = None) -> None:
        """From now on it waits for something else; ``since`` is now, where not given."""
        if self.place is not None:
            del self.place[self]
        self.place = place
        if place is not None:
            place[self] = monotonic() if since is None else since

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport_kept = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it
        super().connection_made(transport)
        self._server.admit(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.move(None)
        self._server.forget(self)
        self.transport_kept = None
        unread, self.body = self.body, None
        if self._gone is not None:
            self._gone.set()
        if self.on_leave is not None:
            self.on_leave()
        if self._waiter is not None and self._waiter.done() and self._task_handler is not None:
            self._task_handler.cancel()  # aiohttp 3.14 fails where a request came with the end of its connection
        super().connection_lost(exc)
        if unread is not None and not self._is_busy():
            unread.feed_eof()  # aiohttp 3.14, reading the rest of a body after its answer, fails where none can come

    def eof_received(self) -> bool:  # type: ignore[override]
        """The peer sends no more: what it has sent whole is carried out and answered, then the connection ends.

        A request that waits is not waited for: most of such peers have gone for good.
        """
        if self._gone is not None:
            self._gone.set()
        if self.on_leave is not None:
            return False
        if self.place is self._server.heads:
            self.has_ended = True
            self.refuse(Refusal.NOT_HTTP)
        if not self._is_busy():
            return False
        self.has_ended = True
        if self.body is not None:
            self.refuse_body(Refusal.CUT_OFF)
        return True

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        before = self._request_count
        try:
            super().data_received(data)
            if self._upgraded:
                self._decline_upgrades()
        except (
            ValueError,
            RuntimeError,
            AssertionError,
        ) as error:  # aiohttp 3.14: what its parser did not expect
            self._request_count += 1
            self._messages.append((_ErrInfo(400, error, ""), EMPTY_PAYLOAD))
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_result(None)
        if self._request_count != before:
            self._check_heads(self._request_count - before)
            self._take_message(data)
        elif self.body is not None:
            self.body_since = monotonic()
            if self.body.is_eof():
                self._end_body()
        elif data and data not in _EMPTY_LINES:  # none where aiohttp 3.14 has its parser go on after a pause
            self._begin_head()

    def _decline_upgrades(self) -> None:
        """Read what is behind the head of an upgrade like all else.

        aiohttp 3.14 reads it once the upgrade has been answered, past all that is checked here. Raises ValueError.
        """
        for _ in range(_UPGRADES_MAX):
            if not self._upgraded or self._parser is None:
                return
            self._parser.set_upgraded(False)
            self._upgraded = False
            tail, self._message_tail = self._message_tail, b""
            super().data_received(tail)
        if self._upgraded:
            self._upgraded, self._message_tail = False, b""
            raise ValueError("too many upgrades")

    def _begin_head(self) -> None:
        """A part of a head has come."""
        server = self._server
        if self.place is None:
            self._has_begun_next = True
        elif self.place is server.idle:
            self.move(server.heads)
        elif self.place is server.silent:
            self.move(server.heads, server.silent[self])  # its time began with the connection

    def _check_heads(self, new: int) -> None:
        """Refuse what the parser lets pass and nothing here can answer; nothing behind it is read."""
        for index in range(-new, 0):
            message, payload = self._messages[index]
            if isinstance(message, _ErrInfo) or is_ordinary(message):
                continue
            try:
                self._messages[index] = as_ordinary(message), payload
            except HttpProcessingError as error:
                self._messages[index] = _ErrInfo(error.code, error, ""), EMPTY_PAYLOAD
                for _ in range(-1 - index):
                    self._messages.pop()
                    self._request_count -= 1
                return

    def _take_message(self, data: bytes) -> None:
        """The parser has read a head at the end of ``data`` or within it, or has refused it."""
        message, payload = self._messages[-1]
        if isinstance(message, _ErrInfo):
            self._deaf = True
            # The traceback keeps this connection, which keeps the error: only the garbage collector would free them.
            message.exc.__traceback__ = message.exc.__context__ = message.exc.__cause__ = None
            if self.body is not None and self.body.is_eof():
                self._end_body()  # what is malformed comes behind it
            if self.body is not None:
                # aiohttp 3.14 leaves whoever reads this body waiting.
                self._messages.pop()
                self._request_count -= 1
                self.refuse_body(Refusal.BAD_BODY)
                return
        # The parser does not say what it keeps. A head ends with a line; a body may end with anything.
        self._has_begun_next = payload is EMPTY_PAYLOAD and not data.endswith((b"\n", b"\r"))
        if payload.is_eof():
            self._end_body()
            return
        self.body = payload
        self.body_started = self.body_since = monotonic()
        self.move(self._server.bodies)

    def _end_body(self) -> None:
        self.body = None
        if self._is_busy():
            self.move(None)
        else:
            self._await_next()

    def _await_next(self) -> None:
        """All requests are answered."""
        self.move(self._server.heads if self._has_begun_next else self._server.idle)

    def _is_busy(self) -> bool:
        """A request that it has sent is still to be answered."""
        return self._request_count > self._answered

    def refuse_body(self, refusal: Refusal) -> None:
        """No more of the body is read; who reads it gets BodyRefused, and its answer is the last one."""
        self._deaf = True
        self._lingering_time = 0.0
        if not self._is_busy():  # its answer has gone out already; aiohttp waits for the body until the end
            self._read_on()
            return
        body, self.body = self.body, None
        self.move(None)
        if body is not None:
            body.set_exception(BodyRefused(refusal))

    def refuse(self, refusal: Refusal) -> None:
        """Answer at the connection's end, where no request was read."""
        self._deaf = True
        transport = self.transport_kept
        if transport is None or transport.is_closing():
            return
        transport.write(refusal_bytes(refusal, new_request_id()))
        self._read_on()

    def _read_on(self) -> None:
        """Nothing more is sent. What still comes would reset a connection that is closed, and the client may never see
        what it was answered."""
        transport = self.transport_kept
        if transport is None or transport.is_closing():
            return
        if not self.has_ended:
            end_output(transport)
        self.move(self._server.leaving)

    def is_held(self) -> bool:
        """Nothing is read from it for the moment: it has sent ahead of what is handled."""
        return self._reading_paused or self._buffer_paused

    def cut_body(self) -> None:
        """The process stops: half a request is not waited for; one before it is."""
        current = self._current_request
        if current is None or current.content is self.body:
            self.force_close()

    def force_close(self) -> None:
        if self.transport_kept is not None and self.transport_kept.get_write_buffer_size():
            self._server.sending[self] = self.unsent(), monotonic()
        super().force_close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._server.sending[self] = self.unsent(), monotonic()

    def unsent(self) -> int:
        """Bytes that wait for the peer, in this process and in the kernel."""
        transport = self.transport_kept
        if transport is None:
            return 0
        waiting = transport.get_write_buffer_size()
        try:
            raw = transport.get_extra_info("socket")
            (queued,) = struct.unpack("i", fcntl.ioctl(raw.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))
        except (OSError, ValueError):
            return waiting
        return waiting + int(queued)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        finished = await super().finish_response(request, resp, start_time)
        self._answered += 1
        transport = self.transport
        if transport is not None:
            if self.has_ended and not self._is_busy():
                self.close()
            elif self.body is not None and self.body is request.content and not resp.keep_alive:
                end_output(
                    transport
                )  # the connection ends for the client; aiohttp still takes what it is sending
            elif not resp.keep_alive or (self._deaf and not self._is_busy()):
                self._deaf = True  # what the client may have sent ahead has no answer
                await self._linger(transport)
            elif self.body is None and not self._is_busy():
                self._await_next()
            if not resp.keep_alive and transport.get_write_buffer_size():
                self._server.sending[self] = self.unsent(), monotonic()
        return finished

    async def _linger(self, transport: asyncio.Transport) -> None:
        """To close while bytes arrive resets the connection, and the peer may never see what was answered."""
        if self.has_ended:
            return
        self._gone = asyncio.Event()
        end_output(transport)
        try:
            async with asyncio.timeout(_LINGER_SECONDS):
                await self._gone.wait()
        except TimeoutError:
            pass

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already")
        request._version = HttpVersion11  # of a request that could not be read aiohttp takes 1.0
        if status >= 500:
            ref = new_request_id()
            log.error("a request failed", extra={"ref": ref}, exc_info=exc)
            return refusal_response(Refusal.DEFECT, ref)
        # Never what was sent: it may hold a token or a cookie.
        log.debug("no HTTP request: %s", type(exc).__name__)
        refusal = Refusal.HEAD_TOO_LONG if isinstance(exc, LineTooLong) else Refusal.NOT_HTTP
        return refusal_response(Refusal.TUNNEL if status == 405 else refusal, new_request_id())


def end_output(transport: asyncio.Transport) -> None:
    """Close our side, behind what waits to be sent; of a peer that has cut the connection, all of it."""
    try:
        transport.write_eof()
    except (OSError, RuntimeError):  # asyncio's transport and uvloop's, where the peer was faster
        transport.abort()
