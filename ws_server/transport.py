"""A WebSocket server connection on the Sans-I/O core of `websockets`, without a task of its own.

The library's own asyncio connection keeps two tasks, several futures and a queue for each socket, idle or
not. Here an idle socket is the transport, the parser and one small object, and a message becomes a task only
when its work waits more than once. What the library's server does besides parsing is done here as it does it:
reassembly, back-pressure both ways, keep-alive, and the closing handshake with its deadline. The opening
handshake comes before, in ``ws_server.http_port``.
"""

from __future__ import annotations

import asyncio
import logging
import types
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Final, NamedTuple, Protocol, cast

from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import OPEN
from websockets.protocol import Protocol as Parser

from ws_server.deadlines import Deadline, Deadlines
from ws_server.frames import size_on_the_wire, sole_text, text_on_the_wire

CLOSE_SECONDS: Final = 10.0  # for the peer to answer a close frame; then the connection is cut
PING_SECONDS: Final = 20.0  # between two keep-alive pings; the answer must come before the next one
WRITE_HIGH_BYTES: Final = 65536  # above this, the next message waits for the reader
_INBOX_HIGH: Final = 16  # messages that wait, before reading from the network stops
_INBOX_LOW: Final = 4
_AT_ONCE: Final = 16  # messages of one socket, before it is another's turn
_FRAGMENTS_MAX: Final = 4096  # of one message
_TEXT: Final = Opcode.TEXT
_BINARY: Final = Opcode.BINARY

log = logging.getLogger(__name__)


Work = Coroutine[Any, Any, None]


class Handler(Protocol):
    """What a socket's messages are for. One message after the other: the work that ``on_message`` returns is
    done before the next; it returns ``None`` when all is done already.

    Most work waits once, for the store. So it becomes a task only when it waits a second time: before that
    there is no ``asyncio.current_task()``, which ``asyncio.timeout`` needs.
    """

    def on_message(self, message: str) -> Work | None: ...
    def on_binary(self) -> None: ...
    def on_lost(self) -> None: ...


class Rules(NamedTuple):
    """What all sockets share: ``make_parser`` makes one of an open server connection, ``handler`` begins the life
    of a socket."""

    make_parser: Callable[[], Parser]
    handler: Callable[[Socket], Handler]


class Socket(asyncio.Protocol):
    """One connection, after the opening handshake. ``opened`` is the ``loop.time()`` of the TCP connection."""

    __slots__ = (
        "_deadline",
        "_ending",
        "_fragments",
        "_handler",
        "_inbox",
        "_listener",
        "_pinged",
        "_protocol",
        "_transport",
        "_unparsed",
        "_work",
        "_writing_paused",
        "opened",
    )

    def __init__(self, listener: Listener, transport: asyncio.Transport, opened: float) -> None:
        self._listener = listener
        self._transport = transport
        self._protocol = listener.rules.make_parser()
        self._handler: Handler | None = None
        self.opened = opened
        self._unparsed = 0  # bytes that the parser was given, less those of the frames that it found
        self._fragments: list[Frame] | None = None
        self._inbox: deque[str] | None = None  # messages that wait for the one in hand, or for the reader
        self._work: Work | asyncio.Task[None] | None = None  # of the message in hand
        self._deadline: Deadline | None = None  # of the closing handshake
        self._ending = False
        self._writing_paused = False
        self._pinged = False

    # What the handler uses

    @property
    def buffered(self) -> int:
        """Bytes that wait to be sent."""
        return self._transport.get_write_buffer_size()

    @property
    def is_open(self) -> bool:
        return self._protocol.state is OPEN

    def allow_message_bytes(self, size: int) -> None:
        """The largest message from now on; a larger one ends the connection (1009)."""
        self._protocol.max_message_size = size

    def send(self, text: bytes) -> None:
        """Send a text message, now; does nothing once the connection is closing."""
        if self._protocol.state is OPEN:
            self._transport.write(text_on_the_wire(text))

    def send_on_the_wire(self, data: bytes) -> None:
        """As ``send``, with the bytes that ``text_on_the_wire`` made."""
        if self._protocol.state is OPEN:
            self._transport.write(data)

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake, behind what waits to be sent."""
        if self._protocol.state is OPEN:
            self._protocol.send_close(code, reason)
            self._flush()
            self._expect_end()

    def keep_alive(self) -> None:
        """Send a ping; a peer that has not answered the last one is given up (1011)."""
        if self._protocol.state is not OPEN:
            return
        if self._pinged:
            self._protocol.fail(CloseCode.INTERNAL_ERROR, "keepalive ping timeout")
            self._flush()
            self._expect_end()
        else:
            self._pinged = True
            self._protocol.send_ping(b"")
            self._flush()

    def abort(self) -> None:
        """Cut the connection."""
        self._transport.abort()

    def begin(self, data: bytes) -> None:
        """The transport is this socket's now; ``data`` came behind the handshake."""
        self._transport.set_write_buffer_limits(WRITE_HIGH_BYTES)
        self._listener.sockets.add(self)
        self._handler = self._listener.rules.handler(self)
        if data:
            self.data_received(data)

    # asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        if self._unparsed == 0 and self._fragments is None:
            text = sole_text(data, self._protocol.max_message_size)
            if text is not None:
                self._pinged = False
                self._on_message(_TEXT, text, at_once=True)
                return
        self._unparsed += len(data)
        self._protocol.receive_data(data)
        self._received()

    def eof_received(self) -> None:
        self._protocol.receive_eof()
        self._received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.receive_eof()  # idempotent; afterwards the state is CLOSED
        self._set_deadline(None)
        self.resume_writing()
        self._listener.sockets.discard(self)
        if self._handler is not None:
            self._handler.on_lost()
        self._listener.socket_lost()

    def pause_writing(self) -> None:
        self._writing_paused = True

    def resume_writing(self) -> None:
        self._writing_paused = False
        if self._inbox:
            self._listener.loop.call_soon(self._work_off)

    # Input

    def _received(self) -> None:
        events = self._protocol.events_received()
        self._flush()  # pongs, the echo of a close frame
        for number, event in enumerate(events):
            frame = cast(Frame, event)
            self._unparsed -= size_on_the_wire(frame)
            self._on_frame(frame, at_once=number < _AT_ONCE)
        if self._protocol.close_expected():
            self._expect_end()

    def _on_frame(self, frame: Frame, *, at_once: bool) -> None:
        self._pinged = False  # whatever came, the peer is alive
        if frame.opcode is _TEXT or frame.opcode is _BINARY:
            if frame.fin:
                self._on_message(frame.opcode, frame.data, at_once)
                frame.data = b""  # the parser keeps the last frame as long as the connection is silent
            else:
                self._fragments = [frame]
        elif frame.opcode is Opcode.CONT and self._fragments is not None:
            self._fragments.append(frame)
            if frame.fin:
                fragments, self._fragments = self._fragments, None
                self._on_message(
                    fragments[0].opcode, b"".join(fragment.data for fragment in fragments), at_once
                )
                frame.data = b""
            elif len(self._fragments) >= _FRAGMENTS_MAX:
                self._fail(CloseCode.MESSAGE_TOO_BIG, "too many fragments")

    def _on_message(self, opcode: Opcode, data: bytes | bytearray | memoryview, at_once: bool) -> None:
        if self._handler is None or self._protocol.state is not OPEN:
            return
        if opcode is _BINARY:
            self._handler.on_binary()
            return
        try:
            message = str(data, "utf-8")
        except UnicodeDecodeError as error:
            self._fail(CloseCode.INVALID_DATA, f"{error.reason} at position {error.start}")
            return
        if self._inbox is not None:
            self._inbox.append(message)
            if len(self._inbox) == _INBOX_HIGH:
                self._transport.pause_reading()
        elif self._work is None and at_once and not self._writing_paused:
            self._take_up(self._handler, message)
        else:
            self._inbox = deque([message])
            if not at_once:
                self._listener.loop.call_soon(self._work_off)

    def _take_up(self, handler: Handler, message: str) -> None:
        """Do the message's work up to where it waits, if it does."""
        try:
            work = handler.on_message(message)
            if work is None:
                return
            awaited = work.send(None)
        except StopIteration:
            return
        except Exception:  # noqa: BLE001 - the log has it
            self._on_defect()
            return
        if isinstance(awaited, asyncio.Future):
            self._work = work
            awaited.add_done_callback(self._go_on)
        else:
            self._work = self._listener.loop.create_task(self._end_as_task(_rest_of(work, awaited)))

    def _go_on(self, awaited: asyncio.Future[Any]) -> None:
        """What the work waited for is there."""
        work = cast(Work, self._work)
        try:
            next_awaited = work.send(None)
        except StopIteration:
            self._work_done()
        except (Exception, asyncio.CancelledError):  # noqa: BLE001 - as above
            self._on_defect()
            self._work_done()
        else:
            self._work = self._listener.loop.create_task(self._end_as_task(_rest_of(work, next_awaited)))

    async def _end_as_task(self, rest: Awaitable[None]) -> None:
        try:
            await rest
        except Exception:  # noqa: BLE001 - the log has it
            self._on_defect()
        finally:
            self._work_done()

    def _work_done(self) -> None:
        self._work = None
        if self._inbox is not None:
            self._work_off()

    def _work_off(self) -> None:
        """Take up one message after the other until one waits, or the reader is too slow, or none is left."""
        for _ in range(_AT_ONCE):
            if self._work is not None or self._writing_paused or self._inbox is None:
                return
            if not self._inbox or self._handler is None or self._protocol.state is not OPEN:
                self._inbox = None
                if not self._transport.is_closing() and not self._transport.is_reading():
                    self._transport.resume_reading()  # for the answer to a close frame
                return
            message = self._inbox.popleft()
            if len(self._inbox) == _INBOX_LOW and not self._transport.is_reading():
                self._transport.resume_reading()
            self._take_up(self._handler, message)
        self._listener.loop.call_soon(self._work_off)  # now it is the other sockets' turn

    def _on_defect(self) -> None:
        log.exception("a connection's handler failed")
        self._fail(CloseCode.INTERNAL_ERROR, "")

    # Output

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._transport.write(data)
            elif self._transport.can_write_eof():
                try:
                    self._transport.write_eof()
                except (OSError, RuntimeError):  # the peer was faster
                    self._transport.abort()

    def _fail(self, code: CloseCode, reason: str) -> None:
        self._protocol.fail(code, reason)
        self._flush()
        self._expect_end()

    def _expect_end(self) -> None:
        """The peer has its time to end the connection, whatever it still sends."""
        if not self._ending:
            self._ending = True
            self._set_deadline(self._listener.deadlines.after(CLOSE_SECONDS, self.abort))

    def _set_deadline(self, deadline: Deadline | None) -> None:
        self._listener.deadlines.cancel(self._deadline)
        self._deadline = deadline


@types.coroutine
def _rest_of(work: Work, awaited: object) -> Generator[Any, Any, None]:
    """What is left of work that was begun by hand and has come to wait for something."""
    while True:
        error: BaseException | None = None
        try:
            yield awaited
        except GeneratorExit:
            work.close()
            raise
        except BaseException as failure:  # noqa: BLE001 - of what it waits for: that is for the work to deal with
            error = failure
        try:
            awaited = work.send(None) if error is None else work.throw(error)
        except StopIteration:
            return


class Listener:
    """All open sockets of a server, and their keep-alive."""

    def __init__(self, rules: Rules, deadlines: Deadlines) -> None:
        self.rules = rules
        self.deadlines = deadlines
        self.loop = asyncio.get_running_loop()
        self.sockets: set[Socket] = set()
        self._empty: asyncio.Future[None] | None = None

    async def keep_alive(self) -> None:
        """Ping every socket once in ``PING_SECONDS``, evenly spread; to be run as one supervised task."""
        while True:
            sockets = list(self.sockets)
            share = max(1, len(sockets) // 200)
            pause = PING_SECONDS * share / max(share, len(sockets))
            for start in range(0, max(1, len(sockets)), share):
                for socket in sockets[start : start + share]:
                    socket.keep_alive()
                await asyncio.sleep(pause)

    def socket_lost(self) -> None:
        if self._empty is not None and not self.sockets and not self._empty.done():
            self._empty.set_result(None)

    async def wait_empty(self) -> None:
        """Wait until the last socket has ended."""
        if self.sockets:
            self._empty = self.loop.create_future()
            await self._empty
