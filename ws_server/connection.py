"""What comes in on one socket: its requests, in order, and what becomes of their errors."""

from __future__ import annotations

import logging
import math
import secrets
import time
from collections.abc import Coroutine
from typing import Any, Final, NoReturn

from shared.errors import TaskbeamError, Throttled, TokenRejected, Unavailable
from shared.metrics.catalogue import THROTTLED
from shared.strict_json import MalformedJSON
from ws_server.answers import error_frame, failure_frame
from ws_server.close_codes import Disconnect
from ws_server.commands import COMMANDS
from ws_server.context import Context
from ws_server.measured import ANSWER_SECONDS, count_close, count_error
from ws_server.rate_limit import MessageRate
from ws_server.requests import (
    NO_ENVELOPE,
    All,
    Auth,
    BadRequest,
    Envelope,
    Ping,
    Read,
    Request,
    Sync,
    parse,
)
from ws_server.routes import PATHS
from ws_server.session import RequestDropped, Session
from ws_server.stream import Stream
from ws_server.transport import Socket

_READ_ONLY: Final = (All, Ping, Read, Sync)

log = logging.getLogger(__name__)
_throttled = THROTTLED.child("messages")


class Connection:
    """What a socket's messages are for, see ``ws_server.inbox.Handler``."""

    __slots__ = (
        "_context",
        "_draining",
        "_is_busy",
        "_opened",
        "_rate",
        "_request_id",
        "_socket",
        "session",
        "stream",
    )

    def __init__(self, socket: Socket, context: Context, request_id: str = "") -> None:
        self._socket = socket
        self._context = context
        self._request_id = request_id  # of the handshake
        self._opened = time.monotonic()
        self._rate = MessageRate(context.settings.messages_per_second, time.monotonic())
        self._is_busy = False
        self._draining: Disconnect | None = None  # once the request in progress is answered
        self.stream = Stream(socket, context.streams)
        self.session = Session(socket, self.stream, context)

    def start(self, opened: float) -> None:
        """The socket is open; ``opened`` is the ``loop.time()`` of its TCP connection."""
        if len(self._context.hub) >= self._context.settings.max_connections:
            self.stream.close(Disconnect.SERVER_FULL)
            return
        self._context.hub.add(self)
        self.session.start(opened)

    # Called by the socket

    def on_message(self, message: str) -> Coroutine[Any, Any, None] | None:
        """Begin one message; the work of carrying it out is returned, unless there is none: it is no JSON, say."""
        stream = self.stream
        if stream.is_closing:
            return None
        request: Request | BadRequest
        try:
            request = parse(message)
        except BadRequest as bad:
            request = bad
        except Exception as error:  # noqa: BLE001 - the client is told, the log has the rest
            stream.start_request(b"")
            self._report(error, NO_ENVELOPE)
            return None
        stream.start_request(request.envelope.id)
        return self._carry_out(request)

    async def _carry_out(self, request: Request | BadRequest) -> None:
        self._is_busy = True
        try:
            started = time.monotonic()
            wait = self._rate.wait(started)
            if wait:
                self._throttle(wait)
            try:
                if isinstance(request, Auth):
                    if await self.session.authenticate(request):
                        ANSWER_SECONDS[Auth].observe(time.monotonic() - started)
                elif (user_id := self.session.user_id) is None:
                    self._refuse_unauthenticated(request)
                elif isinstance(request, BadRequest):
                    raise request.error
                elif not (self.stream.is_disconnected and isinstance(request, _READ_ONLY)):
                    kind = type(request)
                    await COMMANDS[kind](self.stream, self._context.tasks, user_id, request)
                    ANSWER_SECONDS[kind].observe(time.monotonic() - started)
            finally:
                self.stream.end_request()
        except Exception as error:  # noqa: BLE001 - as above
            self._report(error, request.envelope)
        finally:
            self._is_busy = False
        if self._draining is not None:
            self.stream.close(self._draining)

    def on_binary(self) -> None:
        self.stream.close(Disconnect.BINARY_FRAME)

    def on_control(self) -> None:
        if self.stream.is_closing or self.stream.is_disconnected:
            return
        self._rate.count(time.monotonic())
        if self._rate.is_ignored:
            self.stream.close(Disconnect.RATE_LIMIT_IGNORED)
        elif self.stream.is_too_slow:
            self.stream.close(Disconnect.SLOW_READER)

    def on_disconnected(self) -> None:
        self.stream.on_disconnected()

    def on_closed(self) -> None:
        self.stream.on_closed()
        self.session.end()
        self._context.hub.remove(self)
        code, by_server = self._socket.ending()
        count_close(code, by_server=by_server)
        access_log = self._context.access_log
        if access_log is not None and access_log.is_due(code):
            seconds = time.monotonic() - self._opened
            access_log.log(
                "WebSocket",
                PATHS[0],
                code,
                self.session.user_id,
                seconds,
                self._request_id,
            )

    # Called by the hub

    def drain(self, disconnect: Disconnect) -> None:
        """Close as soon as the request in progress, if any, is answered."""
        if self._is_busy:
            self._draining = disconnect
        else:
            self.stream.close(disconnect)

    # Errors

    def _throttle(self, wait: float) -> NoReturn:
        """Raises Throttled, or RequestDropped where the client ignores that."""
        if self._rate.is_ignored:
            self.stream.close(Disconnect.RATE_LIMIT_IGNORED)
            raise RequestDropped
        _throttled.value += 1
        raise Throttled(math.ceil(wait * 1000) / 1000)  # never a moment too early

    def _refuse_unauthenticated(self, request: Request | BadRequest) -> NoReturn:
        """Raises RequestDropped, or InvalidRequest for a malformed auth message, after which another may come."""
        if isinstance(request, BadRequest) and request.is_auth:
            raise request.error
        self.session.refuse("not_authenticated", Disconnect.NOT_AUTHENTICATED, request.envelope)

    def _report(self, error: Exception, envelope: Envelope) -> None:
        """Every error that a client may be told about becomes a frame here, and a defect one with a reference."""
        stream = self.stream
        match error:
            case RequestDropped():
                pass
            case MalformedJSON():
                count_error(None, "invalid_json")
                stream.send(failure_frame("invalid_json", "Invalid JSON", envelope, error=str(error)))
                stream.close(Disconnect.INVALID_JSON)
            case TokenRejected():  # the account was deleted; that it was revoked is on its way here
                count_error(envelope.mode, "token_not_valid")
                stream.send(failure_frame("token_not_valid", "Token Invalid", envelope))
                stream.close(Disconnect.TOKEN_REVOKED)
            case TaskbeamError():
                if isinstance(error, Unavailable):
                    log.warning("unavailable: %s", error.reason)
                    if stream.is_disconnected:  # each of its other requests would wait as long
                        stream.close(Disconnect.UNAVAILABLE)
                count_error(envelope.mode, error.code)
                stream.send(error_frame(error, envelope))
            case _:
                count_error(envelope.mode, "internal")
                ref = secrets.token_hex(8)
                log.error("a request failed", exc_info=error, extra={"ref": ref})
                stream.send(failure_frame("internal", "Internal server error.", envelope, ref=ref))
