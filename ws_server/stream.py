"""What one socket is sent, in order: the answers to its requests, and the changes of its user.

The cursor is the seq of the last change that the socket has had, and only moves forward. An answer that is made from a
snapshot (``auth``, ``all``, ``sync``, ``ping``, a batch) has one exact place among the changes. So changes are buffered
while the snapshot is read; then those up to its seq are sent, or dropped where the answer contains them; then the answer;
then the rest.

The answer to a write is the frame of its change, which the feed brings like any other. The write carries a ``write_id``
into the log, by which the stream of the requester knows its own change.

There is no loop, no socket and no store in here: ``Outlet`` and ``Wait`` say what is needed of them.
"""

from __future__ import annotations

import itertools
import logging
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, Protocol

from shared.models import Written
from shared.wire import replayed_frame
from ws_server.answers import with_id
from ws_server.close_codes import CloseCode, Disconnect
from ws_server.push import Push

_NO_WRITE: Final = -1

log = logging.getLogger(__name__)


class Outlet(Protocol):
    """The socket that the frames go to."""

    @property
    def buffered(self) -> int:
        """Bytes that wait to be sent."""
        ...

    def send(self, text: bytes) -> None: ...

    def send_on_the_wire(self, data: bytes) -> None:
        """Send what ``text_on_the_wire`` made."""
        ...

    def close(self, code: int, reason: str, *, patient: bool = True) -> None: ...


class Wait(Awaitable[None], Protocol):
    """For the change of a ``seq``: until ``wake`` is called. Raises Unavailable when that takes too long."""

    @property
    def seq(self) -> int: ...

    def wake(self) -> None: ...


class StreamContext(NamedTuple):
    """What all streams of a process share.

    ``next_write_id`` returns a number that no other write has, of whichever process. ``start_wait`` is given
    the user and the seq, and makes the change feed look at the log now.
    """

    max_buffer_bytes: int
    next_write_id: Callable[[], int]
    start_wait: Callable[[int, int], Wait]


def new_write_ids() -> Callable[[], int]:
    """Counts from where no other process is likely to count, living or dead, with the same log."""
    return itertools.count(secrets.randbits(30) << 32).__next__


class Stream:
    """Carries out one request at a time, between ``start_request`` and ``end_request``."""

    __slots__ = (
        "_answer_bytes",
        "_buffer",
        "_buffer_bytes",
        "_context",
        "_cursor",
        "_outlet",
        "_push",
        "_request_id",
        "_user_id",
        "_wait",
        "_write_id",
        "is_closing",
        "is_disconnected",
    )

    def __init__(self, outlet: Outlet, context: StreamContext) -> None:
        self._outlet = outlet
        self._context = context
        self._push: bool | None = None  # others' changes are sent; ``None`` before the start
        self._user_id = 0  # before the start
        self._cursor = 0
        self._buffer: deque[Push] | None = None  # while an answer is made from a snapshot
        self._buffer_bytes = 0
        self._request_id = b""
        self._write_id = _NO_WRITE  # of the write in progress
        self._wait: Wait | None = None
        self._answer_bytes = 0  # of the latest answers, which were asked for and may wait to be sent
        self.is_closing = False  # nothing more is sent
        self.is_disconnected = False  # nobody hears what is sent; requests from before are carried out

    # The request in progress

    def start_request(self, request_id: bytes) -> None:
        """``request_id`` is JSON, empty where there is none."""
        self._request_id = request_id
        self._answer_bytes = 0

    def end_request(self) -> None:
        """Whether it was answered or failed: changes are sent as they come again."""
        self._write_id = _NO_WRITE
        if self._buffer is not None:
            buffer, self._buffer = self._buffer, None
            if self._push is not None:
                for push in buffer:
                    self._deliver(push)

    def answer(self, frame: bytes) -> None:
        """Send the answer to the request in progress, now."""
        self.send(with_id(frame, self._request_id))

    def send(self, frame: bytes) -> None:
        """Send a frame now. What waits is bounded: no request is read before the socket's buffer has drained."""
        if not self.is_closing and not self.is_disconnected:
            self._answer_bytes += len(frame)
            self._outlet.send(frame)

    # A write

    def expect_write(self) -> int:
        """The ``write_id`` for the request in progress: the change that brings it back is the answer."""
        self._write_id = self._context.next_write_id()
        return self._write_id

    async def answer_write(self, written: Written) -> None:
        """Wait until the change was sent; answer here where the write changed nothing. Raises Unavailable."""
        if written.change is None:
            self.answer(replayed_frame(written.task))
        elif self._cursor < written.change.seq:
            await self._reach(written.change.seq)

    # An answer from a snapshot

    def start_buffering(self) -> None:
        """Before the snapshot is read: buffer the changes until the request ends."""
        self._buffer, self._buffer_bytes = deque(), 0

    async def answer_from_snapshot(self, frame: bytes, seq: int, contains_from: int | None = None) -> None:
        """Answer at the place of the snapshot: after the changes up to ``seq``, before any later one.

        Args:
            contains_from: the answer contains the changes from this seq up to ``seq``; they are not sent.

        Raises:
            Unavailable: the feed does not bring the changes up to ``seq``.
        """
        if contains_from is None:
            await self.catch_up(seq)
        else:
            if contains_from > 0:
                await self._reach(seq)
                self._send_buffered(contains_from - 1)
            self.skip(seq)
        self.answer(frame)

    async def catch_up(self, seq: int) -> None:
        """Wait for the changes up to ``seq``, and send them. Raises Unavailable."""
        await self._reach(seq)
        self._send_buffered(seq)
        self._cursor = max(self._cursor, seq)

    def skip(self, seq: int) -> None:
        """The client knows of the changes up to ``seq``; they are not sent."""
        while self._buffer and self._buffer[0].change.seq <= seq:
            self._buffer.popleft()
        self._cursor = max(self._cursor, seq)

    def start(self, user_id: int, *, push: bool) -> None:
        """Send the user's changes from here on; only the client's own unless ``push``."""
        self._user_id = user_id
        self._push = push

    def _send_buffered(self, seq: int) -> None:
        while self._buffer and self._buffer[0].change.seq <= seq:
            self._deliver(self._buffer.popleft())
        if self._cursor < seq and not self.is_disconnected:
            self._close_for_gap(seq)

    async def _reach(self, seq: int) -> None:
        """Wait until the feed has brought a change that is known to be committed. Raises Unavailable."""
        if self.is_closing or self.is_disconnected:
            return
        if (self._buffer[-1].change.seq if self._buffer else self._cursor) >= seq:
            return
        self._wait = self._context.start_wait(self._user_id, seq)
        try:
            await self._wait
        finally:
            self._wait = None

    # Changes

    def on_change(self, push: Push) -> None:
        """Called by the hub with every change of the user, in order."""
        seq = push.change.seq
        if seq <= self._cursor or self.is_closing or self.is_disconnected:
            return
        if self._buffer is None:
            self._deliver(push)
        else:
            self._buffer.append(push)
            self._buffer_bytes += len(push.frame)
            # Before the start there may be much that is older than the snapshot; the time-out of the authentication
            # bounds that.
            if self._push is not None and self._buffer_bytes > self._context.max_buffer_bytes:
                self.close(Disconnect.BUFFER_FULL)
        if self._wait is not None and seq >= self._wait.seq:
            self._wait.wake()

    def _deliver(self, push: Push) -> None:
        change = push.change
        if change.seq != self._cursor + 1:
            self._close_for_gap(change.seq)
            return
        self._cursor = change.seq
        if change.write_id == self._write_id:
            self.answer(push.frame)
        elif self._push:
            # As is_too_slow, in place: this is done for every push to every socket.
            if self._outlet.buffered > self._context.max_buffer_bytes + self._answer_bytes:
                self.close(Disconnect.SLOW_READER)
            elif not self.is_closing:
                self._outlet.send_on_the_wire(push.on_the_wire)

    def _close_for_gap(self, seq: int) -> None:
        """The feed has a defect. The client resumes with sync and loses nothing."""
        if not self.is_closing:
            log.error("gap before change %d", seq)
            self.close(Disconnect.CHANGES_MISSED)

    @property
    def is_too_slow(self) -> bool:
        """Whether more waits to be sent than may, beside the latest answers."""
        return self._outlet.buffered > self._context.max_buffer_bytes + self._answer_bytes

    # The end

    def on_disconnected(self) -> None:
        """Nobody hears what is sent from now on."""
        self.is_disconnected = True
        if self._buffer is not None:
            self._buffer.clear()
        self._stop_waiting()

    def on_closed(self) -> None:
        """There is no socket any more."""
        self.is_closing = True

    def close(self, disconnect: Disconnect) -> None:
        """Send no more, and close. A peer that takes what waits, however slowly, gets it; a slow reader has 10 s."""
        if not self.is_closing:
            self.is_closing = True
            self._stop_waiting()
            patient = disconnect.code is not CloseCode.SLOW_READER
            self._outlet.close(disconnect.code, disconnect.reason, patient=patient)

    def _stop_waiting(self) -> None:
        """The answer of the request in progress is not sent, so its place in the stream does not matter."""
        if self._wait is not None:
            self._wait.wake()
