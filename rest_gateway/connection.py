"""One TCP connection: aiohttp's, safe against clients that stall, misbehave or leave.

It enters the state of what it waits for, so that `rest_gateway.connection_limits` can end every wait. What the HTTP
parser refuses is answered in JSON.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import monotonic
from typing import Any, Final

from aiohttp import web
from aiohttp.http import HttpVersion11
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import _ErrInfo

from rest_gateway.errors import Refusal, refusal_response
from rest_gateway.heads import as_ordinary, is_ordinary
from rest_gateway.limited_connection import ConnectionStates, LimitedConnection, end_output
from shared.request_ids import new_request_id

_EMPTY_LINES: Final = (b"\r\n", b"\n")  # between two requests they mean nothing (RFC 9112, section 2.2)
_UPGRADES_MAX: Final = 8  # in one piece: each is read with a copy of all that is behind it

log = logging.getLogger(__name__)


class Connection(LimitedConnection):
    """What it reads, and how far it has answered."""

    __slots__ = ("_next_head_begun", "on_disconnect")

    def __init__(
        self, server: web.Server, states: ConnectionStates, loop: asyncio.AbstractEventLoop, **kwargs: Any
    ) -> None:
        super().__init__(server, states, loop, **kwargs)
        self._next_head_begun = False  # a part of a head has come behind a request that is not answered yet
        self.on_disconnect: Callable[[], None] | None = None  # for a request that waits

    def connection_lost(self, exc: BaseException | None) -> None:
        unread, self.body = self.body, None
        if self.on_disconnect is not None:
            self.on_disconnect()
        if self._waiter is not None and self._waiter.done() and self._task_handler is not None:
            self._task_handler.cancel()  # aiohttp 3.14 fails where a request came with the end of its connection
        super().connection_lost(exc)
        if unread is not None and not self._is_busy():
            unread.feed_eof()  # aiohttp 3.14, reading the rest of a body after its answer, fails where none can come

    def data_received(self, data: bytes) -> None:
        if self._ignores_input:
            return
        before = self._request_count
        try:
            super().data_received(data)
            if self._upgraded:
                self._decline_upgrades()
        except (ValueError, RuntimeError, AssertionError) as error:  # aiohttp 3.14: unexpected by its parser
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
        states = self.states
        if self.state is None:
            self._next_head_begun = True
        elif self.state is states.idle:
            self.enter(states.heads)
        elif self.state is states.silent:
            self.enter(states.heads, states.silent[self])  # its time began with the connection

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
            self._ignores_input = True
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
        self._next_head_begun = payload is EMPTY_PAYLOAD and not data.endswith((b"\n", b"\r"))
        if payload.is_eof():
            self._end_body()
            return
        self.body = payload
        self.body_started = self.body_since = monotonic()
        self.enter(self.states.bodies)

    def _end_body(self) -> None:
        self.body = None
        if self._is_busy():
            self.enter(None)
        else:
            self._await_next()

    def _await_next(self) -> None:
        """All requests are answered."""
        self.enter(self.states.heads if self._next_head_begun else self.states.idle)

    def eof_received(self) -> bool:  # type: ignore[override]
        """The peer sends no more. What it has sent whole is carried out and answered, then the connection ends.

        A request that waits for changes ends now: most of such peers have gone for good.
        """
        if self._peer_left is not None:
            self._peer_left.set()
        if self.on_disconnect is not None:
            return False
        if self.state is self.states.heads:
            self.peer_has_ended = True
            self.refuse(Refusal.NOT_HTTP)
        if not self._is_busy():
            return False
        self.peer_has_ended = True
        if self.body is not None:
            self.refuse_body(Refusal.CUT_OFF)
        return True

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        finished = await super().finish_response(request, resp, start_time)
        self._answered += 1
        transport = self.transport
        if transport is not None:
            if self.peer_has_ended and not self._is_busy():
                self.close()
            elif self.body is not None and self.body is request.content and not resp.keep_alive:
                end_output(transport)  # the client sees the end; aiohttp still takes what it is sending
            elif not resp.keep_alive or (self._ignores_input and not self._is_busy()):
                self._ignores_input = True  # what the client may have sent behind has no answer
                await self._linger(transport)
            elif self.body is None and not self._is_busy():
                self._await_next()
            if not resp.keep_alive and transport.get_write_buffer_size():
                self._watch_sending()
        return finished

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
