"""A WebSocket server connection on the Sans-I/O core of `websockets`, without a task of its own.

The library's own asyncio connection keeps two tasks, several futures and a queue for each socket, idle or
not. Here an idle socket is the transport, the parser and one small object; a task exists only while messages
are carried out. What the library's server does besides parsing is done here as it does it: the handshake and
its deadline, reassembly, back-pressure both ways, keep-alive, and the closing handshake with its deadline.
"""

from __future__ import annotations

import asyncio
import http
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, NamedTuple, Protocol, cast

from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

CLOSE_SECONDS: Final = 10.0  # for the peer to answer a close frame; then the connection is cut
PING_SECONDS: Final = 20.0  # between two keep-alive pings; the answer must come before the next one
WRITE_HIGH_BYTES: Final = 65536  # above this, the next message waits for the reader
_INBOX_HIGH: Final = 16  # messages that wait, before reading from the network stops
_INBOX_LOW: Final = 4
_AT_ONCE: Final = 16  # messages of one socket, before it is another's turn
_FRAGMENTS_MAX: Final = 4096  # of one message

log = logging.getLogger(__name__)


Work = Coroutine[Any, Any, None]


class Handler(Protocol):
    """What a socket's messages are for. One message after the other: the work that ``on_message`` returns is
    awaited before the next; it returns ``None`` when all is done already."""

    def on_message(self, message: str) -> Work | None: ...
    def on_binary(self) -> None: ...
    def on_lost(self) -> None: ...


class Rules(NamedTuple):
    """What all sockets of a listener share.

    ``answer`` may answer a request as plain HTTP (``None``: it is a handshake), ``handler`` begins the life of
    an open socket. ``open_seconds`` bounds the handshake, counted from the TCP connection.
    """

    make_protocol: Callable[[], ServerProtocol]
    answer: Callable[[Request], Response | Awaitable[Response] | None]
    handler: Callable[[Socket], Handler]
    open_seconds: float


class Socket(asyncio.Protocol):
    """One connection. ``opened`` is the ``loop.time()`` of the TCP connection."""

    __slots__ = (
        "_drained",
        "_fragments",
        "_handler",
        "_inbox",
        "_listener",
        "_pinged",
        "_protocol",
        "_task",
        "_timer",
        "_transport",
        "_writing_paused",
        "opened",
    )

    _transport: asyncio.Transport
    opened: float

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._protocol = listener.rules.make_protocol()
        self._handler: Handler | None = None
        self._fragments: list[Frame] | None = None
        self._inbox: deque[str] | None = None
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None  # the handshake's deadline, later the closing one
        self._drained: asyncio.Future[None] | None = None
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
            self._protocol.send_text(text)
            self._flush()

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

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(WRITE_HIGH_BYTES)
        loop = self._listener.loop
        self.opened = loop.time()
        self._timer = loop.call_later(self._listener.rules.open_seconds, self.abort)
        self._listener.sockets.add(self)

    def data_received(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        self._received()

    def eof_received(self) -> None:
        self._protocol.receive_eof()
        self._received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.receive_eof()  # idempotent; afterwards the state is CLOSED
        self._set_timer(None)
        self.resume_writing()
        self._listener.sockets.discard(self)
        if self._handler is not None:
            self._handler.on_lost()
        self._listener.socket_lost()

    def pause_writing(self) -> None:
        self._writing_paused = True

    def resume_writing(self) -> None:
        self._writing_paused = False
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    # Input

    def _received(self) -> None:
        events = self._protocol.events_received()
        self._flush()  # pongs, the echo of a close frame, a refusal
        for number, event in enumerate(events):
            if isinstance(event, Request):
                self._on_request(event)
            elif isinstance(event, Frame):
                self._on_frame(event, at_once=number < _AT_ONCE)
        if self._protocol.close_expected():
            self._expect_end()

    def _on_request(self, request: Request) -> None:
        answer = self._listener.rules.answer(request)
        if isinstance(answer, Awaitable):
            self._task = self._listener.loop.create_task(self._respond_later(answer))
        else:
            self._respond(self._protocol.accept(request) if answer is None else answer)

    async def _respond_later(self, answer: Awaitable[Response]) -> None:
        self._respond(await answer)
        self._task = None

    def _respond(self, response: Response) -> None:
        if self._transport.is_closing():
            return
        if response.status_code == http.HTTPStatus.SWITCHING_PROTOCOLS and not self._listener.is_serving:
            response = self._protocol.reject(
                http.HTTPStatus.SERVICE_UNAVAILABLE, "Server is shutting down.\n"
            )
        self._protocol.send_response(response)
        self._flush()
        if self._protocol.state is OPEN:
            self._set_timer(None)
            self._handler = self._listener.rules.handler(self)
        else:
            self._expect_end()

    def _on_frame(self, frame: Frame, *, at_once: bool) -> None:
        self._pinged = False  # whatever came, the peer is alive
        if frame.opcode is Opcode.TEXT or frame.opcode is Opcode.BINARY:
            if frame.fin:
                self._on_message(frame.opcode, frame.data, at_once)
            else:
                self._fragments = [frame]
        elif frame.opcode is Opcode.CONT and self._fragments is not None:
            self._fragments.append(frame)
            if frame.fin:
                fragments, self._fragments = self._fragments, None
                self._on_message(
                    fragments[0].opcode, b"".join(fragment.data for fragment in fragments), at_once
                )
            elif len(self._fragments) >= _FRAGMENTS_MAX:
                self._fail(CloseCode.MESSAGE_TOO_BIG, "too many fragments")

    def _on_message(self, opcode: Opcode, data: bytes | bytearray | memoryview, at_once: bool) -> None:
        if self._handler is None or self._protocol.state is not OPEN:
            return
        if opcode is Opcode.BINARY:
            self._handler.on_binary()
            return
        try:
            message = bytes(data).decode()
        except UnicodeDecodeError as error:
            self._fail(CloseCode.INVALID_DATA, f"{error.reason} at position {error.start}")
            return
        if self._task is None:
            work = None
            if at_once and not self._writing_paused:
                work = self._handler.on_message(message)
                if work is None:
                    return
            self._inbox = deque() if work is not None else deque([message])
            self._task = self._listener.loop.create_task(self._work_off(work, self._inbox, self._handler))
        elif self._inbox is not None:
            self._inbox.append(message)
            if len(self._inbox) == _INBOX_HIGH:
                self._transport.pause_reading()

    async def _work_off(self, work: Work | None, inbox: deque[str], handler: Handler) -> None:
        """Await the work, then that of one message after the other; ends when none is left."""
        number = 0
        try:
            while True:
                if work is not None:
                    await work
                elif number % _AT_ONCE == 0:
                    await asyncio.sleep(0)  # the other sockets' turn
                if self._writing_paused:
                    await self._drain()
                if not inbox or self._protocol.state is not OPEN:
                    break
                message = inbox.popleft()
                if len(inbox) == _INBOX_LOW and not self._transport.is_reading():
                    self._transport.resume_reading()
                work = handler.on_message(message)
                number += 1
        except Exception:
            log.exception("a connection's handler failed")
            self._fail(CloseCode.INTERNAL_ERROR, "")
        finally:
            self._inbox = None
            self._task = None
            if not self._transport.is_closing() and not self._transport.is_reading():
                self._transport.resume_reading()  # for the answer to a close frame

    async def _drain(self) -> None:
        self._drained = self._listener.loop.create_future()
        try:
            await self._drained
        finally:
            self._drained = None

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
        """The peer has its time to end the connection."""
        self._set_timer(self._listener.loop.call_later(CLOSE_SECONDS, self.abort))

    def _set_timer(self, timer: asyncio.TimerHandle | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = timer


class Listener:
    """All sockets of a listening server, and their keep-alive."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.loop = asyncio.get_running_loop()
        self.sockets: set[Socket] = set()
        self.is_serving = True
        self._empty: asyncio.Future[None] | None = None

    def __call__(self) -> Socket:
        """A protocol for a new TCP connection."""
        return Socket(self)

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

    def stop_opening(self) -> None:
        """Open no more sockets; who is still in the handshake is let go."""
        self.is_serving = False
        for socket in list(self.sockets):
            if not socket.is_open:
                socket.abort()

    def socket_lost(self) -> None:
        if self._empty is not None and not self.sockets and not self._empty.done():
            self._empty.set_result(None)

    async def wait_empty(self) -> None:
        """Wait until the last socket has ended."""
        if self.sockets:
            self._empty = self.loop.create_future()
            await self._empty
