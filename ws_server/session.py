"""Who is at the other end: authentication, renewal, expiry and revocation."""

from __future__ import annotations

import time
from typing import Final, NoReturn

from shared.errors import TokenRejected, Unavailable
from shared.models import Token
from ws_server.answers import auth_frame, expiring_frame, failure_frame
from ws_server.close_codes import Disconnect
from ws_server.context import Context
from ws_server.deadlines import Deadline
from ws_server.measured import count_error
from ws_server.requests import Auth, Envelope
from ws_server.stream import Stream
from ws_server.transport import Socket

AUTH_MAX_BYTES: Final = 8192  # of a message before authentication
_EXPIRY_NOTICE_SECONDS: Final = 60


class RequestDropped(Exception):
    """The connection is closing, or nobody hears the answer: nothing is answered to the request in progress."""


def _seconds_left(token: Token) -> float:
    return max(0.0, token.exp - time.time())


class Session:
    """The hub's subscriber. ``user_id`` is ``None`` until the user is authenticated."""

    __slots__ = ("_context", "_deadline", "_must_recheck", "_socket", "_token", "stream", "user_id")

    def __init__(self, socket: Socket, stream: Stream, context: Context) -> None:
        self._socket = socket
        self._context = context
        self._token: Token | None = None  # of an authenticated user, or one whose token is being checked
        self._must_recheck = False  # a token was revoked while one was being checked
        self._deadline: Deadline | None = None  # of the authentication, then of the token
        self.stream = stream
        self.user_id: int | None = None

    def start(self, opened: float) -> None:
        """The authentication has the rest of its time."""
        self._socket.allow_message_bytes(AUTH_MAX_BYTES)
        timeout = self._context.settings.auth_timeout_seconds
        self._deadline = self._context.deadlines.set(opened + timeout, self._on_auth_timeout)

    def end(self) -> None:
        self._unsubscribe()
        self._set_deadline(None)

    def _on_auth_timeout(self) -> None:
        self.stream.close(Disconnect.AUTH_TIMEOUT)

    # Authentication

    async def authenticate(self, request: Auth) -> bool:
        """Start the session, or renew it; returns whether that was done. Raises RequestDropped."""
        if request.token is None:
            count_error("auth", "token_missing")
            self.stream.send(failure_frame("token_missing", "JWT Token Not Found", request.envelope))
            return False
        try:
            token = self._context.authenticator.verify_access(request.token)
            if self._token is None:
                await self._start_session(token, request)
            elif token.user_id == self._token.user_id:
                await self._renew(token, request)
            else:
                count_error("auth", "user_mismatch")
                message = "The token belongs to another user."
                self.stream.send(failure_frame("user_mismatch", message, request.envelope))
                return False
        except TokenRejected:
            self.refuse("token_not_valid", Disconnect.TOKEN_INVALID, request.envelope)
        finally:
            if self.user_id is None:
                self._unsubscribe()
                self._socket.allow_message_bytes(AUTH_MAX_BYTES)
        return True

    def refuse(self, code: str, disconnect: Disconnect, envelope: Envelope) -> NoReturn:
        """Answer that the client is not authenticated, and close. Raises RequestDropped."""
        count_error(envelope.mode, code)
        self.stream.send(failure_frame(code, disconnect.reason, envelope))
        self.stream.close(disconnect)
        raise RequestDropped

    async def _start_session(self, token: Token, request: Auth) -> None:
        hub, settings = self._context.hub, self._context.settings
        if not hub.has_room(token.user_id):
            self.stream.close(Disconnect.USER_FULL)
            raise RequestDropped
        self._token = token
        # The claims are good. What the client has sent behind them is read before the store has answered.
        self._socket.allow_message_bytes(settings.max_message_bytes)
        self.stream.start_buffering()
        hub.subscribe(token.user_id, self)  # before the seq is read: no change can slip between
        seq = await self._identify(token)
        self.stream.skip(seq)
        self._welcome(token, request.push, seq)

    async def _renew(self, token: Token, request: Auth) -> None:
        self.stream.start_buffering()
        seq = await self._identify(token)
        await self.stream.catch_up(seq)
        self._welcome(token, request.push, seq)

    async def _identify(self, token: Token) -> int:
        """The user's seq. Raises TokenRejected, Unavailable, RequestDropped."""
        self._must_recheck = False
        await self._context.feed.resume(token.user_id)
        identity = await self._context.authenticator.identify(token)
        if self.stream.is_closing:  # the client has disconnected meanwhile
            raise RequestDropped
        return identity.seq

    def _welcome(self, token: Token, push: bool, seq: int) -> None:
        self._token, self.user_id = token, token.user_id
        self.stream.start(token.user_id, push=push)
        left = max(0.0, _seconds_left(token) - _EXPIRY_NOTICE_SECONDS)
        self._set_deadline(self._context.deadlines.after(left, self._on_expiring))
        epoch = self._context.tasks.epoch
        self.stream.answer(auth_frame(token.user_id, token.exp, epoch, seq))
        if self._must_recheck:
            self._context.hub.spawn(self._recheck(token))

    def _unsubscribe(self) -> None:
        if self._token is not None:
            self._context.hub.unsubscribe(self._token.user_id, self)
            self._token = None

    # Expiry

    def _on_expiring(self) -> None:
        if self._token is not None:
            left = _seconds_left(self._token)
            self.stream.send(expiring_frame(round(left)))
            self._set_deadline(self._context.deadlines.after(left, self._on_expired))

    def _on_expired(self) -> None:
        self.stream.close(Disconnect.TOKEN_EXPIRED)

    def _set_deadline(self, deadline: Deadline | None) -> None:
        self._context.deadlines.cancel(self._deadline)
        self._deadline = deadline

    # Revocation

    @property
    def token(self) -> Token | None:
        return None if self.stream.is_closing else self._token

    def on_revocation(self, sid: str | None) -> None:
        """Called by the hub. Asks the store: a user who has logged in again since is not concerned."""
        self._must_recheck = True
        if self._token is not None and self.user_id is not None and (sid is None or sid == self._token.sid):
            self._context.hub.spawn(self._recheck(self._token))

    async def _recheck(self, token: Token) -> None:
        try:
            await self._context.authenticator.identify(token)
        except TokenRejected:
            if self._token is token:  # not renewed meanwhile
                self.stream.close(Disconnect.TOKEN_REVOKED)
        except Unavailable:
            self.stream.close(Disconnect.TOKEN_UNCHECKED)
