"""A WebSocket server connection on the Sans-I/O core of `websockets`, without a task of its own.

The library's own asyncio connection keeps two tasks, several futures and a queue for each socket, idle or
not. Here an idle socket is the transport, the parser and a few small objects. What the library's server does besides
parsing is done here: back-pressure both ways, keep-alive, and the closing handshake with its deadline; and in its parts
reassembly (``intake``) and the order of messages (``inbox``). The opening handshake comes before, in ``http_port``.

Unlike there, what was received before a close frame, or before the end of the stream, is carried out.
"""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import suppress
from typing import Final

from websockets.frames import CloseCode
from websockets.protocol import OPEN
from websockets.protocol import Protocol as Parser

from ws_server.deadlines import Deadline
from ws_server.frames import PONG_BYTE, text_on_the_wire
from ws_server.inbox import Handler, Inbox
from ws_server.intake import Intake
from ws_server.keep_alive import Ping, unsent
from ws_server.open_sockets import OpenSockets

WRITE_HIGH_BYTES: Final = 65536  # above this, the next message waits for the reader
_CLOSE_FRAME_MAX: Final = 127
_REST_MAX_BYTES: Final = 65536

log = logging.getLogger(__name__)


class Socket(asyncio.Protocol):
    """One connection, after the opening handshake. ``is_closing``: nothing more will be sent."""

    __slots__ = (
        "_confirmed",
        "_deadline",
        "_intake",
        "_is_lost",
        "_parser",
        "_peer_has_ended",
        "_ping",
        "_pong",
        "_sockets",
        "_transport",
        "_written",
        "is_closing",
    )

    def __init__(self, sockets: OpenSockets, transport: asyncio.Transport, parser: Parser) -> None:
        self._sockets = sockets
        self._transport = transport
        self._parser = parser
        self._intake = Intake(self, transport, parser, Inbox(self))
        self.is_closing = False
        self._peer_has_ended = False  # its side of the connection, or all of it
        self._is_lost = False  # there is no connection any more
        self._deadline: Deadline | None = None  # of the end
        self._written = 0  # bytes, since the handshake
        self._confirmed = 0  # of these, by the peer's host, when the end was checked last
        self._ping: Ping | None = None  # the last one
        self._pong: bytes | None = None  # the answer to the latest ping, while the reader is slow

    def start(self, handler: Handler, data: bytes) -> None:
        """The transport is this socket's now; ``data`` came behind the handshake."""
        self._transport.set_protocol(self)
        self._transport.set_write_buffer_limits(WRITE_HIGH_BYTES)
        self._sockets.add(self)
        self._intake.inbox.handler = handler
        if data:
            self.data_received(data)

    # What the handler uses

    @property
    def buffered(self) -> int:
        """Bytes that wait to be sent."""
        return self._transport.get_write_buffer_size()

    def ending(self) -> tuple[int, bool]:
        """The code of whoever closed first, and whether that was we; 1006 where nobody did (RFC 6455, 7.1.5)."""
        parser = self._parser
        if parser.close_sent is not None and not parser.close_rcvd_then_sent:
            return parser.close_sent.code, True
        return CloseCode.ABNORMAL_CLOSURE if parser.close_rcvd is None else parser.close_rcvd.code, False

    def allow_message_bytes(self, size: int) -> None:
        """The largest message from now on; a larger one ends the connection (1009). Not above what the parser takes."""
        self._intake.message_max = size

    def send(self, text: bytes) -> None:
        """Send a text message, now; does nothing once the connection is closing."""
        self.send_on_the_wire(text_on_the_wire(text))

    def send_on_the_wire(self, data: bytes) -> None:
        """As ``send``, with the bytes that ``text_on_the_wire`` made."""
        if not self.is_closing and not self._transport.is_closing():
            self._written += len(data)
            self._transport.write(data)

    def close(self, code: int, reason: str, *, patient: bool = True) -> None:
        """Begin the closing handshake, behind what waits to be sent, and carry out no further message.

        Args:
            patient: a peer that takes what waits, however slowly, gets it.
        """
        self._intake.stop()
        if not self.is_closing:
            self._parser.send_close(code, reason)
            self._flush()
            self.is_closing = True
            self._start_close_timeout(patient=patient)
            if self._intake.has_ended:
                self._transport.close()  # once all is sent

    # What the server uses

    def keep_alive(self) -> None:
        """Send a ping; a peer that neither answers nor reads is given up (1011)."""
        if self.is_closing or self._deadline is not None:
            return
        waiting = unsent(self._transport)
        if self._intake.was_heard or self._ping is None:
            answered = 0 if self._ping is None else self._ping.end
            confirmed = self._written - waiting
            self._parser.send_ping(b"")
            self._flush()
            self._intake.was_heard = False
            self._ping = Ping(self._written, confirmed if waiting else self._written, answered)
        elif not self._ping.check(self._written - waiting):
            log.info(
                "gave up a connection of %s: nothing was heard of it; %d bytes were waiting",
                self._transport.get_extra_info("peername"),
                waiting,
            )
            self.fail(CloseCode.INTERNAL_ERROR, "keepalive ping timeout")

    def abort(self) -> None:
        """Cut the connection."""
        self._transport.abort()

    # asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        self._intake.receive(data)

    def eof_received(self) -> bool:
        """Keep our side open: what was received is carried out, and answered to a peer that still reads."""
        if self.is_closing:
            return False
        self._intake.has_ended = self._peer_has_ended = True
        self._start_close_timeout()
        self.on_idle()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost = True
        self.is_closing = True
        if exc is not None and not self._peer_has_ended and not self._intake.is_stopped:
            self._receive_rest()
        self._intake.has_ended = True
        self._set_deadline(None)
        self._on_disconnected()
        if not self._intake.is_idle:
            self._set_deadline(self._sockets.deadlines.after(self._sockets.timeouts.work, self._drop_work))
        self.on_idle()

    def _receive_rest(self) -> None:
        """Where sending failed, the transport has not read what the kernel had received before."""
        socket = self._transport.get_extra_info("socket")
        with suppress(OSError):
            if rest := os.read(socket.fileno(), _REST_MAX_BYTES):
                self.data_received(rest)

    def pause_writing(self) -> None:
        if not self._intake.is_disconnected:
            self._intake.inbox.pause()

    def resume_writing(self) -> None:
        if self._pong is not None and not self.is_closing:
            self._write(self._pong)
        self._pong = None
        self._intake.inbox.resume()

    # What becomes of the input: called by the parts

    def on_parsed(self) -> None:
        if self._parser.state is not OPEN:
            self.is_closing = True
        self._flush()
        if self._parser.parser_exc is not None:
            self._intake.stop()
        if self._parser.close_expected():
            self._start_close_timeout()

    def on_close_frame(self) -> None:
        self._on_disconnected()
        if not self._is_lost:  # then the caller that gave the parser its last bytes asks for the end
            self.on_idle()

    def on_full(self) -> None:
        self._intake.on_inbox_full()

    def on_room(self) -> None:
        self._intake.on_inbox_room()

    def on_handler_error(self) -> None:
        self.fail(CloseCode.INTERNAL_ERROR, "")

    def on_idle(self) -> None:
        """The end, where the peer has ended and all that it had sent was carried out."""
        if not self._peer_has_ended or not self._intake.is_idle:
            return
        if self._is_lost:
            self._free()
        elif self._intake.is_disconnected:
            self._close_handler()
        else:
            self.is_closing = True
            self._on_disconnected()
            self._close_handler()
            self._transport.close()  # once all is sent

    # Output

    def _write(self, data: bytes) -> None:
        self._written += len(data)
        self._transport.write(data)

    def _flush(self) -> None:
        """Send what the parser wants sent. Of its pongs only the latest is needed (RFC 6455, 5.5.3)."""
        pong: bytes | None = None
        for data in self._parser.data_to_send():
            if self._is_lost:
                continue
            if data.startswith(PONG_BYTE):
                pong = data
            elif data:
                self._write(data)
            elif self._transport.can_write_eof():
                try:
                    self._transport.write_eof()
                except (OSError, RuntimeError):  # the peer was faster
                    self._transport.abort()
        if pong is not None and not self.is_closing:
            if self._intake.inbox.is_paused:
                self._pong = pong
            else:
                self._write(pong)

    # The end

    def fail(self, code: CloseCode, reason: str) -> None:
        """End the connection for a fault of the peer's, or of the handler's."""
        self._intake.stop()
        if not self.is_closing:
            self._parser.fail(code, reason)
            self._flush()
            self.is_closing = True
            self._start_close_timeout()

    def _drop_work(self) -> None:
        log.info("a client had disconnected; the rest of what it had sent took too long, and is dropped")
        self._intake.stop()

    def _on_disconnected(self) -> None:
        """The peer has closed the connection, or was cut off: nobody hears the answers to what it sent before."""
        self._peer_has_ended = True
        if not self._intake.is_disconnected:
            self._intake.is_disconnected = True
            if self._intake.inbox.handler is not None:
                self._intake.inbox.handler.on_disconnected()
            self._pong = None
            self._intake.inbox.resume()

    def _start_close_timeout(self, *, patient: bool = True) -> None:
        """The peer has its time to end the connection, whatever it still sends, from when it has had all frames."""
        if self._deadline is None:
            waiting = unsent(self._transport)
            self._confirmed = self._written - (waiting if waiting > _CLOSE_FRAME_MAX else 0)
            check = self._check_close if patient else self.abort
            self._set_deadline(self._sockets.deadlines.after(self._sockets.timeouts.close, check))

    def _check_close(self) -> None:
        """Cut the connection, unless bytes still leave, or an answer is still being made."""
        confirmed = self._written - unsent(self._transport)
        if confirmed > self._confirmed or (
            not self.is_closing and not self._intake.inbox.is_idle and not self.buffered
        ):
            self._confirmed = confirmed
            self._deadline = self._sockets.deadlines.after(self._sockets.timeouts.close, self._check_close)
        else:
            self.abort()

    def _set_deadline(self, deadline: Deadline | None) -> None:
        self._sockets.deadlines.cancel(self._deadline)
        self._deadline = deadline

    def _close_handler(self) -> None:
        if self._intake.inbox.handler is not None:
            self._intake.inbox.handler.on_closed()
            self._intake.inbox.handler = None

    def _free(self) -> None:
        """Cut the circles of references, so that the memory is free at once: the collector seldom comes by."""
        self._close_handler()
        self._set_deadline(None)
        self._sockets.remove(self)
        self._peer_has_ended = False  # what the parts may still call does nothing
        vars(self._parser).clear()  # the generator in it refers to it
        del self._intake
