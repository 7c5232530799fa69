"""What one socket is sent, in order: the answers to its requests, and its user's changes.

``on_change`` is called by the hub for every change of the user; ``_cursor`` is the last one that the socket has had.
While an answer is made from a snapshot (``all``, ``sync``, ``ping``, a batch), changes are held, so that the answer gets
its exact place among them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import msgspec

from shared.errors import Unavailable
from shared.models import Written
from shared.wire import replayed_frame
from ws_server import protocol
from ws_server.close_codes import CloseCode, Disconnect
from ws_server.context import Context
from ws_server.hub import Push
from ws_server.protocol import Request
from ws_server.transport import Socket

_STREAM_TIMEOUT: Final = 10.0  # for the feed to bring by what is already committed

T = TypeVar("T")
log = logging.getLogger(__name__)


class _Expected(msgspec.Struct, frozen=True):
    """The write in progress: by its ``write_id`` its change is known as the answer."""

    write_id: int
    request_id: bytes


class Stream:
    """Base of a connection, which says who hears it."""

    __slots__ = (
        "_answer_bytes",
        "_authenticated",
        "_closing",
        "_cursor",
        "_expected",
        "_gone",
        "_held",
        "_held_bytes",
        "_push",
        "_socket",
        "_waiter",
        "context",
    )

    def __init__(self, socket: Socket, context: Context) -> None:
        self.context = context
        self._socket = socket
        self._authenticated = False
        self._push = True
        self._cursor = 0
        self._held: deque[Push] | None = None
        self._held_bytes = 0
        self._expected: _Expected | None = None
        self._waiter: tuple[int, asyncio.Future[None]] | None = None
        self._answer_bytes = 0  # of the answers that are still on their way
        self._closing = False
        self._gone = False  # the client hears nothing any more; what it sent before is carried out

    # Answers

    async def write(self, request: Request, write: Callable[[int], Awaitable[Written]]) -> bytes | None:
        """Have one operation done, given its ``write_id``. The answer comes by on the feed; what is returned, if
        anything, is the answer of an operation that made no change."""
        write_id = self.context.hub.next_write_id()
        self._expected = _Expected(write_id, request.envelope.id)
        try:
            written = await write(write_id)
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
        if self._gone or self._closing or (self._held[-1].change.seq if self._held else self._cursor) >= seq:
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

    # Changes

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
                self.start_closing(Disconnect.BUFFER_FULL)
        if self._waiter is not None and push.change.seq >= self._waiter[0] and not self._waiter[1].done():
            self._waiter[1].set_result(None)

    def _deliver(self, push: Push) -> None:
        change = push.change
        if change.seq <= self._cursor:
            return
        if change.seq != self._cursor + 1:
            # Cannot be; but if it is, a client that resumes loses nothing.
            log.error("gap before change %d of user %d", change.seq, change.user_id)
            self.start_closing(Disconnect.CHANGES_MISSED)
            return
        self._cursor = change.seq
        if self._expected is not None and change.write_id == self._expected.write_id:
            self.send(protocol.with_id(push.frame, self._expected.request_id))
        elif self._push:
            # As _buffer_limit, in place: this is done for every push to every socket.
            if self._socket.buffered > self.context.settings.max_buffer_bytes + self._answer_bytes:
                self.start_closing(Disconnect.SLOW_READER)
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

    # The end

    def on_gone(self) -> None:
        """Nobody hears what is sent from now on."""
        self._gone = True
        self._wait_no_longer()

    def start_closing(self, disconnect: Disconnect) -> None:
        """Send no more, and close. A peer that takes what waits, however slowly, gets it; one that is too slow has 10 s."""
        if not self._closing:
            self._closing = True
            self._wait_no_longer()
            patient = disconnect.code is not CloseCode.SLOW_READER
            self._socket.close(disconnect.code, disconnect.reason, patient=patient)

    def _wait_no_longer(self) -> None:
        """The request in hand waits for its place in the stream; now its answer is not sent."""
        if self._waiter is not None and not self._waiter[1].done():
            self._waiter[1].set_result(None)
