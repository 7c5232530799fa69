"""One socket: authenticate, then carry out requests in order, with the user's changes in between.

The frames of a socket form one ordered stream. ``on_change`` is called by the hub for every change
of the user; ``_cursor`` is the last one that the socket has had. While an answer is made from a
snapshot (``all``, ``sync``, ``ping``, a batch), changes are held, so that the answer gets its exact
place among them.
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, NamedTuple, NoReturn, TypeVar

import msgspec

from shared.accounts import AccountService, Identity
from shared.changes import ChangeFeed
from shared.errors import TaskbeamError, Throttled, TokenRejected, Unavailable
from shared.models import Written
from shared.settings import Settings
from shared.strict_json import MalformedJSON
from shared.tasks import TaskService
from shared.tokens import Token
from shared.wire import replayed_frame
from ws_server import protocol
from ws_server.commands import COMMANDS
from ws_server.deadlines import Deadline, Deadlines
from ws_server.hub import Hub, Push
from ws_server.protocol import (
    NO_ENVELOPE,
    All,
    Auth,
    BadRequest,
    CloseCode,
    Envelope,
    Ping,
    Read,
    Request,
    Sync,
)
from ws_server.rate_limit import MessageRate
from ws_server.transport import Socket

AUTH_MAX_BYTES: Final = 8192  # of a message before authentication
_STREAM_TIMEOUT: Final = 10.0  # for the feed to bring by what is already committed
_EXPIRY_NOTICE: Final = 60
_CHANGE_NOTHING: Final = (All, Ping, Read, Sync)

T = TypeVar("T")
log = logging.getLogger(__name__)


class Context(NamedTuple):
    """What all connections of a server share."""

    settings: Settings
    deadlines: Deadlines
    hub: Hub
    feed: ChangeFeed
    tasks: TaskService
    accounts: AccountService


class _Ended(Exception):
    """The connection is closing; the message in hand is the last one."""


def _seconds_left(token: Token) -> float:
    return max(0.0, token.exp - time.time())


class _Expected(msgspec.Struct, frozen=True):
    """The write in progress: by its origin its change is known as the answer."""

    origin: int
    request_id: bytes


class Connection:
    """What a socket's messages are for, see ``ws_server.transport.Handler``."""

    __slots__ = (
        "_answer_bytes",
        "_authenticated",
        "_busy",
        "_closing",
        "_cursor",
        "_deadline",
        "_expected",
        "_gone",
        "_held",
        "_held_bytes",
        "_leaving",
        "_push",
        "_rate",
        "_recheck",
        "_socket",
        "_token",
        "_waiter",
        "context",
    )

    def __init__(self, socket: Socket, context: Context) -> None:
        self.context = context
        self._socket = socket
        self._token: Token | None = None  # whose feed we hear; of an authenticated user, or one about to be
        self._authenticated = False
        self._recheck = False  # a token was revoked while one was being checked
        self._deadline: Deadline | None = None  # of the authentication, then of the token
        self._rate = MessageRate(context.settings.messages_per_second, time.monotonic())

        self._push = True
        self._cursor = 0
        self._held: deque[Push] | None = None
        self._held_bytes = 0
        self._expected: _Expected | None = None
        self._waiter: tuple[int, asyncio.Future[None]] | None = None
        self._answer_bytes = 0  # of the answers that are still on their way

        self._busy = False
        self._leaving: tuple[CloseCode, str] | None = None  # once the request in progress is answered
        self._closing = False
        self._gone = False  # the client hears nothing any more; what it sent before is carried out

    def begin(self) -> None:
        """The socket is open: authentication has the rest of its time."""
        hub, settings = self.context.hub, self.context.settings
        if len(hub) >= settings.max_connections:
            self.start_closing(CloseCode.TOO_MANY_CONNECTIONS, "too many connections")
            return
        hub.enter(self)
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
            self.start_closing(*self._leaving)

    def on_binary(self) -> None:
        self.start_closing(CloseCode.BINARY, "text frames only")

    def on_control(self) -> None:
        if self._closing or self._gone:
            return
        self._rate.count(time.monotonic())
        if self._rate.is_ignored:
            self.start_closing(CloseCode.RATE_LIMIT_IGNORED, "rate limit ignored")
        elif self._socket.buffered > self._buffer_limit:
            self.start_closing(CloseCode.TOO_SLOW, "too slow a reader")

    def on_gone(self) -> None:
        """What waits for its place in the stream need not: nobody will see it."""
        self._gone = True
        if self._waiter is not None and not self._waiter[1].done():
            self._waiter[1].set_result(None)

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
                self.start_closing(CloseCode.BAD_JSON, "invalid JSON")
            case TokenRejected():  # the account was deleted; that it was revoked is on its way here
                self.send(protocol.failure_frame("token_not_valid", "Token Invalid", envelope))
                self.start_closing(CloseCode.TOKEN_REVOKED, "token revoked")
            case TaskbeamError():
                if isinstance(error, Unavailable):
                    log.warning("unavailable: %s", error.reason)
                    if self._gone:  # what is left would each wait as long as this one did
                        self.start_closing(CloseCode.RESTARTS, "unavailable")
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
                self._end(CloseCode.RATE_LIMIT_IGNORED, "rate limit ignored")
            raise Throttled(math.ceil(wait * 1000) / 1000)  # never a moment too early

    # Authentication

    def _require_authenticated(self, envelope: Envelope) -> int:
        """The user's id. Raises _Ended."""
        if self._token is None or not self._authenticated:
            self._refuse("not_authenticated", "Not authenticated", envelope)
        return self._token.user_id

    async def _authenticate(self, request: Auth) -> None:
        """Begin the session, or renew it."""
        if request.token is None:
            self.send(protocol.failure_frame("token_missing", "JWT Token Not Found", request.envelope))
            return
        try:
            token = self.context.accounts.verify_access(request.token)
            if self._token is not None and token.user_id != self._token.user_id:
                self.send(
                    protocol.failure_frame(
                        "user_mismatch", "The token belongs to another user.", request.envelope
                    )
                )
                return
            await self._begin_session(token, request)
        except TokenRejected:
            self._refuse("token_not_valid", "Token Invalid", request.envelope)
        finally:
            if not self._authenticated:
                self._unsubscribe()

    async def _begin_session(self, token: Token, request: Auth) -> None:
        hub, feed, accounts = self.context.hub, self.context.feed, self.context.accounts
        first = self._token is None
        if first:
            if hub.connections_of(token.user_id) >= self.context.settings.max_connections_per_user:
                self._end(CloseCode.TOO_MANY_CONNECTIONS, "too many connections of this user")
            self._token = token
            hub.subscribe(token.user_id, self)  # before the seq is read: no change can slip between
        self._recheck = False

        async def identify() -> Identity:
            await feed.awake()
            identity = await accounts.identify(token)
            if self._closing:  # the client has gone meanwhile
                raise _Ended
            return identity

        def welcome(identity: Identity) -> bytes:
            self._token, self._authenticated, self._push = token, True, request.push
            self._socket.allow_message_bytes(self.context.settings.max_message_bytes)
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

    def _refuse(self, code: str, message: str, envelope: Envelope) -> NoReturn:
        """Raises _Ended."""
        self.send(protocol.failure_frame(code, message, envelope))
        self._end(CloseCode.NOT_AUTHENTICATED, message)

    def _on_no_auth(self) -> None:
        self.start_closing(CloseCode.NO_AUTH_IN_TIME, "no authentication in time")

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
        self.start_closing(CloseCode.TOKEN_EXPIRED, "token expired")

    def _set_deadline(self, deadline: Deadline | None) -> None:
        self.context.deadlines.cancel(self._deadline)
        self._deadline = deadline

    @property
    def bearer(self) -> Token | None:
        return None if self._closing else self._token

    def on_revocation(self, sid: str | None) -> None:
        """Called by the hub. Asks the accounts: a user who has logged in again since is not concerned."""
        self._recheck = True
        if self._token is not None and self._authenticated and (sid is None or sid == self._token.sid):
            self.context.hub.spawn(self._check_token(self._token))

    async def _check_token(self, token: Token) -> None:
        try:
            await self.context.accounts.identify(token)
        except TokenRejected:
            if self._token is token:  # not renewed meanwhile
                self.start_closing(CloseCode.TOKEN_REVOKED, "token revoked")
        except Unavailable:
            self.start_closing(CloseCode.RESTARTS, "the token cannot be checked now")

    # Requests

    async def write(self, request: Request, write: Callable[[int], Awaitable[Written]]) -> bytes | None:
        """Have one operation done, given its origin. The answer comes by on the feed; what is returned, if
        anything, is the answer of an operation that made no change."""
        origin = self.context.hub.next_origin()
        self._expected = _Expected(origin, request.envelope.id)
        try:
            written = await write(origin)
            if written.change is None:
                return replayed_frame(written.task)
            if self._cursor < written.change.seq:
                await self._stream_reaches(written.change.seq)
        finally:
            self._expected = None
        return None

    async def at_snapshot(
        self,
        request: Request,
        read: Callable[[], Awaitable[T]],
        seq_of: Callable[[T], int],
        frame_of: Callable[[T], bytes],
        covered_from: Callable[[T], int] | None = None,
    ) -> None:
        """Send an answer at its place in the stream: after the changes up to its seq, before any later one.

        Args:
            covered_from: the changes from this seq up to the answer's are in the answer, and not sent.
        """
        self._held, self._held_bytes = deque(), 0
        try:
            snapshot = await read()
            seq = seq_of(snapshot)
            covered = seq + 1 if covered_from is None else covered_from(snapshot)
            if covered > 0:
                await self._stream_reaches(seq)
            held = self._held
            while held and held[0].change.seq <= seq:
                push = held.popleft()
                if push.change.seq < covered:
                    self._deliver(push)
                else:
                    self._cursor = max(self._cursor, push.change.seq)
            self.send(protocol.with_id(frame_of(snapshot), request.envelope.id))
            self._cursor = max(self._cursor, seq)
        finally:
            held, self._held = self._held, None
            if self._authenticated:
                for push in held:
                    self._deliver(push)

    async def _stream_reaches(self, seq: int) -> None:
        """Wait until the feed has brought by a change that is known to be committed."""
        if self._gone or (self._held[-1].change.seq if self._held else self._cursor) >= seq:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def give_up() -> None:
            if not waiter.done():
                waiter.set_exception(Unavailable("the change feed does not move"))

        self._waiter = (seq, waiter)
        self.context.feed.look()
        deadline = self.context.deadlines.after(_STREAM_TIMEOUT, give_up)
        try:
            await waiter
        finally:
            self.context.deadlines.cancel(deadline)
            self._waiter = None

    # The stream

    def on_change(self, push: Push) -> None:
        """Called by the hub with every change of the user, in order."""
        if self._closing or self._gone or push.change.seq <= self._cursor:
            return
        if self._held is None:
            self._deliver(push)
        else:
            self._held.append(push)
            self._held_bytes += len(push.frame)
            # A newcomer may hear much that is older than its snapshot; it has the time of the authentication only.
            if self._authenticated and self._held_bytes > self.context.settings.max_buffer_bytes:
                self.start_closing(CloseCode.TOO_SLOW, "too much is waiting")
        if self._waiter is not None and push.change.seq >= self._waiter[0] and not self._waiter[1].done():
            self._waiter[1].set_result(None)

    def _deliver(self, push: Push) -> None:
        change = push.change
        if change.seq <= self._cursor:
            return
        if change.seq != self._cursor + 1:
            # Cannot be; but if it is, a client that resumes loses nothing.
            log.error("gap before change %d of user %d", change.seq, change.user_id)
            self.start_closing(CloseCode.RESTARTS, "changes were missed, resume with sync")
            return
        self._cursor = change.seq
        if self._expected is not None and change.origin == self._expected.origin:
            self.send(protocol.with_id(push.frame, self._expected.request_id))
        elif self._push:
            if self._socket.buffered > self._buffer_limit:
                self.start_closing(CloseCode.TOO_SLOW, "too slow a reader")
            elif not self._closing:
                self._socket.send_on_the_wire(push.on_the_wire)

    @property
    def _buffer_limit(self) -> int:
        """Bytes that may wait to be sent, beside the last answer, which was asked for."""
        return self.context.settings.max_buffer_bytes + self._answer_bytes

    def send(self, frame: bytes) -> None:
        """Send an answer now. What waits is bounded: no request is read before the buffer has drained."""
        if not self._closing and not self._gone:
            self._answer_bytes += len(frame)
            self._socket.send(frame)

    def start_leaving(self, code: CloseCode, reason: str) -> None:
        """Close as soon as the request in progress, if any, is answered."""
        if self._busy:
            self._leaving = (code, reason)
        else:
            self.start_closing(code, reason)

    def start_closing(self, code: CloseCode, reason: str) -> None:
        """Send no more, and close. A peer that takes what waits, however slowly, gets it; one that is too slow has 10 s."""
        if not self._closing:
            self._closing = True
            self._socket.close(code, reason, patient=code is not CloseCode.TOO_SLOW)

    def _end(self, code: CloseCode, reason: str) -> NoReturn:
        """Raises _Ended."""
        self.start_closing(code, reason)
        raise _Ended
