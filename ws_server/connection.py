"""One socket: authenticate, then carry out requests in order, with the user's changes in between.

What it sends, and in which order, is in ``stream``.
"""

from __future__ import annotations

import logging
import math
import secrets
import time
from collections.abc import Coroutine
from typing import Any, Final, NoReturn

from shared.auth.authenticator import Identity
from shared.errors import TaskbeamError, Throttled, TokenRejected, Unavailable
from shared.models import Token
from shared.strict_json import MalformedJSON
from ws_server import protocol
from ws_server.close_codes import Disconnect
from ws_server.commands import COMMANDS
from ws_server.context import Context
from ws_server.deadlines import Deadline
from ws_server.protocol import (
    NO_ENVELOPE,
    All,
    Auth,
    BadRequest,
    Envelope,
    Ping,
    Read,
    Request,
    Sync,
)
from ws_server.rate_limit import MessageRate
from ws_server.stream import Stream
from ws_server.transport import Socket

AUTH_MAX_BYTES: Final = 8192  # of a message before authentication
_EXPIRY_NOTICE: Final = 60
_CHANGE_NOTHING: Final = (All, Ping, Read, Sync)

log = logging.getLogger(__name__)


class _Ended(Exception):
    """The connection is closing; the message in hand is the last one."""


def _seconds_left(token: Token) -> float:
    return max(0.0, token.exp - time.time())


class Connection(Stream):
    """What a socket's messages are for, see ``ws_server.inbox.Handler``."""

    __slots__ = ("_busy", "_deadline", "_leaving", "_rate", "_recheck", "_token")

    def __init__(self, socket: Socket, context: Context) -> None:
        super().__init__(socket, context)
        self._token: Token | None = None  # whose feed we hear; of an authenticated user, or one about to be
        self._recheck = False  # a token was revoked while one was being checked
        self._deadline: Deadline | None = None  # of the authentication, then of the token
        self._rate = MessageRate(context.settings.messages_per_second, time.monotonic())
        self._busy = False
        self._leaving: Disconnect | None = None  # once the request in progress is answered

    def begin(self) -> None:
        """The socket is open: authentication has the rest of its time."""
        hub, settings = self.context.hub, self.context.settings
        if len(hub) >= settings.max_connections:
            self.start_closing(Disconnect.SERVER_FULL)
            return
        hub.enter(self)
        self._socket.allow_message_bytes(AUTH_MAX_BYTES)
        self._deadline = self.context.deadlines.set(
            self._socket.opened + settings.auth_timeout_seconds, self._on_no_auth
        )

    # The life of a connection: called by the socket

    def on_message(self, message: str) -> Coroutine[Any, Any, None] | None:
        """Begin one message; the work of carrying it out is returned, unless there is none: it is no JSON, say."""
        if self._closing:
            return None
        self._answer_bytes = 0
        request: Request | BadRequest
        try:
            request = protocol.parse(message)
        except BadRequest as bad:
            request = bad
        except Exception as error:  # noqa: BLE001 - the client is told, the log has the rest
            self._report(error, NO_ENVELOPE)
            return None
        return self._carry_out(request)

    async def _carry_out(self, request: Request | BadRequest) -> None:
        self._busy = True
        try:
            self._keep_to_rate()
            if isinstance(request, Auth):
                await self._authenticate(request)
            elif isinstance(request, BadRequest) and request.is_auth:
                raise request.error
            else:
                user_id = self._require_authenticated(request.envelope)
                if isinstance(request, BadRequest):
                    raise request.error
                if self._gone and isinstance(request, _CHANGE_NOTHING):
                    raise _Ended
                answer = await COMMANDS[type(request)](self, user_id, request)
                if answer is not None:
                    self.send(protocol.with_id(answer, request.envelope.id))
        except Exception as error:  # noqa: BLE001 - as above
            self._report(error, request.envelope)
        finally:
            self._busy = False
        if self._leaving is not None:
            self.start_closing(self._leaving)

    def on_binary(self) -> None:
        self.start_closing(Disconnect.BINARY_FRAME)

    def on_control(self) -> None:
        if self._closing or self._gone:
            return
        self._rate.count(time.monotonic())
        if self._rate.is_ignored:
            self.start_closing(Disconnect.RATE_LIMIT_IGNORED)
        elif self._socket.buffered > self._buffer_limit:
            self.start_closing(Disconnect.SLOW_READER)

    def on_lost(self) -> None:
        self._closing = True
        self.context.hub.leave(self)
        self._unsubscribe()
        self._set_deadline(None)

    def _report(self, error: Exception, envelope: Envelope) -> None:
        """Every error that a client may be told about becomes a frame here, and a defect one with a reference."""
        match error:
            case _Ended():
                pass
            case MalformedJSON():
                self.send(protocol.failure_frame("invalid_json", "Invalid JSON", envelope, error=str(error)))
                self.start_closing(Disconnect.INVALID_JSON)
            case TokenRejected():  # the account was deleted; that it was revoked is on its way here
                self.send(protocol.failure_frame("token_not_valid", "Token Invalid", envelope))
                self.start_closing(Disconnect.TOKEN_REVOKED)
            case TaskbeamError():
                if isinstance(error, Unavailable):
                    log.warning("unavailable: %s", error.reason)
                    if self._gone:  # what is left would each wait as long as this one did
                        self.start_closing(Disconnect.UNAVAILABLE)
                self.send(protocol.error_frame(error, envelope))
            case _:
                ref = secrets.token_hex(8)
                log.error("a request failed", exc_info=error, extra={"ref": ref})
                self.send(protocol.failure_frame("internal", "Internal server error.", envelope, ref=ref))

    def _keep_to_rate(self) -> None:
        """Raises Throttled, or _Ended when the client does not care."""
        wait = self._rate.wait(time.monotonic())
        if wait:
            if self._rate.is_ignored:
                self._end(Disconnect.RATE_LIMIT_IGNORED)
            raise Throttled(math.ceil(wait * 1000) / 1000)  # never a moment too early

    # Authentication

    def _require_authenticated(self, envelope: Envelope) -> int:
        """The user's id. Raises _Ended."""
        if self._token is None or not self._authenticated:
            self._refuse("not_authenticated", Disconnect.NOT_AUTHENTICATED, envelope)
        return self._token.user_id

    async def _authenticate(self, request: Auth) -> None:
        """Begin the session, or renew it."""
        if request.token is None:
            self.send(protocol.failure_frame("token_missing", "JWT Token Not Found", request.envelope))
            return
        try:
            token = self.context.authenticator.verify_access(request.token)
            if self._token is not None and token.user_id != self._token.user_id:
                self.send(
                    protocol.failure_frame(
                        "user_mismatch", "The token belongs to another user.", request.envelope
                    )
                )
                return
            await self._begin_session(token, request)
        except TokenRejected:
            self._refuse("token_not_valid", Disconnect.TOKEN_INVALID, request.envelope)
        finally:
            if not self._authenticated:
                self._unsubscribe()
                self._socket.allow_message_bytes(AUTH_MAX_BYTES)

    async def _begin_session(self, token: Token, request: Auth) -> None:
        hub, feed, authenticator = self.context.hub, self.context.feed, self.context.authenticator
        first = self._token is None
        if first:
            if hub.connections_of(token.user_id) >= self.context.settings.max_connections_per_user:
                self._end(Disconnect.USER_FULL)
            self._token = token
            # Its claims are good, and what the client has sent behind it is read before the store is asked.
            self._socket.allow_message_bytes(self.context.settings.max_message_bytes)
            hub.subscribe(token.user_id, self)  # before the seq is read: no change can slip between
        self._recheck = False

        async def identify() -> Identity:
            await feed.awake()
            identity = await authenticator.identify(token)
            if self._closing:  # the client has gone meanwhile
                raise _Ended
            return identity

        def welcome(identity: Identity) -> bytes:
            self._token, self._authenticated, self._push = token, True, request.push
            self._expect_expiry(token)
            return protocol.auth_frame(token.user_id, token.exp, self.context.tasks.epoch, identity.seq)

        await self.at_snapshot(
            request,
            identify,
            lambda identity: identity.seq,
            welcome,
            covered_from=(lambda _: 0) if first else None,
        )
        if self._recheck:
            self.context.hub.spawn(self._check_token(token))

    def _unsubscribe(self) -> None:
        if self._token is not None:
            self.context.hub.unsubscribe(self._token.user_id, self)
            self._token = None

    def _refuse(self, code: str, disconnect: Disconnect, envelope: Envelope) -> NoReturn:
        """Raises _Ended."""
        self.send(protocol.failure_frame(code, disconnect.reason, envelope))
        self._end(disconnect)

    def _on_no_auth(self) -> None:
        self.start_closing(Disconnect.AUTH_TIMEOUT)

    def _expect_expiry(self, token: Token) -> None:
        self._set_deadline(
            self.context.deadlines.after(max(0.0, _seconds_left(token) - _EXPIRY_NOTICE), self._on_expiring)
        )

    def _on_expiring(self) -> None:
        if self._token is not None:
            left = _seconds_left(self._token)
            self.send(protocol.expiring_frame(round(left)))
            self._set_deadline(self.context.deadlines.after(left, self._on_expired))

    def _on_expired(self) -> None:
        self.start_closing(Disconnect.TOKEN_EXPIRED)

    def _set_deadline(self, deadline: Deadline | None) -> None:
        self.context.deadlines.cancel(self._deadline)
        self._deadline = deadline

    @property
    def token(self) -> Token | None:
        return None if self._closing else self._token

    def on_revocation(self, sid: str | None) -> None:
        """Called by the hub. Asks the store: a user who has logged in again since is not concerned."""
        self._recheck = True
        if self._token is not None and self._authenticated and (sid is None or sid == self._token.sid):
            self.context.hub.spawn(self._check_token(self._token))

    async def _check_token(self, token: Token) -> None:
        try:
            await self.context.authenticator.identify(token)
        except TokenRejected:
            if self._token is token:  # not renewed meanwhile
                self.start_closing(Disconnect.TOKEN_REVOKED)
        except Unavailable:
            self.start_closing(Disconnect.TOKEN_UNCHECKED)

    def start_leaving(self, disconnect: Disconnect) -> None:
        """Close as soon as the request in progress, if any, is answered."""
        if self._busy:
            self._leaving = disconnect
        else:
            self.start_closing(disconnect)

    def _end(self, disconnect: Disconnect) -> NoReturn:
        """Raises _Ended."""
        self.start_closing(disconnect)
        raise _Ended
