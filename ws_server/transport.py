"""A WebSocket server connection on the Sans-I/O core of `websockets`, without a task of its own.

The library's own asyncio connection keeps two tasks, several futures and a queue for each socket, idle or
not. Here an idle socket is the transport, the parser and one small object. What the library's server does besides
parsing is done here: back-pressure both ways, keep-alive, and the closing handshake with its deadline; and in its bases
reassembly (``intake``) and the order of messages (``inbox``). The opening handshake comes before, in ``http_port``.

Unlike there, what was received before a close frame, or before the end of the stream, is carried out.
"""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from websockets.frames import CloseCode
from websockets.protocol import OPEN

from ws_server.deadlines import Deadline
from ws_server.frames import PONG_BYTE, text_on_the_wire
from ws_server.intake import Intake
from ws_server.keep_alive import Ping, unsent

if TYPE_CHECKING:
    from ws_server.listener import Listener

WRITE_HIGH_BYTES: Final = 65536  # above this, the next message waits for the reader
_CLOSE_FRAME_MAX: Final = 127
_REST_MAX_BYTES: Final = 65536

log = logging.getLogger(__name__)


class Socket(Intake, asyncio.Protocol):
    """One connection, after the opening handshake. ``opened`` is the ``loop.time()`` of the TCP connection."""

    __slots__ = (
        "_deadline",
        "_is_lost",
        "_listener",
        "_may_send",
        "_ping",
        "_pong",
        "_taken",
        "_written",
        "opened",
    )

    def __init__(self, listener: Listener, transport: asyncio.Transport, opened: float) -> None:
        super().__init__(transport, listener.rules.make_parser())
        self._listener = listener
        self.opened = opened
        self._may_send = True
        self._is_lost = False  # there is no connection any more
        self._deadline: Deadline | None = None  # of the end
        self._written = 0  # bytes, since the handshake
        self._taken = 0  # of these, by the peer, when the end was looked at last
        self._ping: Ping | None = None  # the last one
        self._pong: bytes | None = None  # the answer to the latest ping, while the reader is slow

    # What the handler uses

    @property
    def buffered(self) -> int:
        """Bytes that wait to be sent."""
        return self._transport.get_write_buffer_size()

    @property
    def is_ending(self) -> bool:
        """Nothing more will be sent."""
        return not self._may_send

    def allow_message_bytes(self, size: int) -> None:
        """The largest message from now on; a larger one ends the connection (1009). Not above what the parser takes."""
        self._message_max = size

    def send(self, text: bytes) -> None:
        """Send a text message, now; does nothing once the connection is closing."""
        self.send_on_the_wire(text_on_the_wire(text))

    def send_on_the_wire(self, data: bytes) -> None:
        """As ``send``, with the bytes that ``text_on_the_wire`` made."""
        if self._may_send and not self._transport.is_closing():
            self._written += len(data)
            self._transport.write(data)

    def close(self, code: int, reason: str, *, patient: bool = True) -> None:
        """Begin the closing handshake, behind what waits to be sent, and carry out no further message.

        Args:
            patient: a peer that takes what waits, however slowly, gets it.
        """
        self._refuse()
        if self._may_send:
            self._protocol.send_close(code, reason)
            self._flush()
            self._may_send = False
            self._expect_end(patient=patient)
            if self._input_ended:
                self._transport.close()  # once all is sent

    def keep_alive(self) -> None:
        """Send a ping; a peer that neither answers nor reads is given up (1011)."""
        if not self._may_send or self._deadline is not None:
            return
        waiting = unsent(self._transport)
        if not self._pinged or self._ping is None:
            answered = 0 if self._ping is None else self._ping.end
            taken = self._written - waiting
            self._protocol.send_ping(b"")
            self._flush()
            self._pinged = True
            self._ping = Ping(self._written, taken if waiting else self._written, answered)
        elif not self._ping.look(self._written - waiting):
            log.info(
                "gave up a connection of %s: nothing was heard of it; %d bytes were waiting",
                self._transport.get_extra_info("peername"),
                waiting,
            )
            self.fail(CloseCode.INTERNAL_ERROR, "keepalive ping timeout")

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

    def eof_received(self) -> bool:
        """Keep our side open: what was received is carried out, and answered to a peer that still reads."""
        if not self._may_send:
            return False
        self._input_ended = True
        self._expect_end()
        self.on_idle()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost = True
        self._may_send = False
        if exc is not None and not self._input_ended and not self._is_gone and not self._refuses:
            self._receive_rest()
        self._input_ended = True
        self._set_deadline(None)
        self._peer_is_gone()
        if self._unfed is not None or not self.is_idle:
            self._set_deadline(self._listener.deadlines.after(self._listener.periods.work, self._give_up))
        self.on_idle()

    def _receive_rest(self) -> None:
        """Where sending failed, the transport has not read what the kernel had received before."""
        socket = self._transport.get_extra_info("socket")
        with suppress(OSError):
            if rest := os.read(socket.fileno(), _REST_MAX_BYTES):
                self.data_received(rest)

    def pause_writing(self) -> None:
        if not self._is_gone:
            self.hold()

    def resume_writing(self) -> None:
        if self._pong is not None and self._may_send:
            self._write(self._pong)
        self._pong = None
        self.release()

    # What becomes of the input

    def on_parsed(self) -> None:
        if self._protocol.state is not OPEN:
            self._may_send = False
        self._flush()
        if self._protocol.parser_exc is not None:
            self._refuse()
        if self._protocol.close_expected():
            self._expect_end()

    def on_close_frame(self) -> None:
        self._peer_is_gone()
        self.on_idle()

    def on_defect(self) -> None:
        self.fail(CloseCode.INTERNAL_ERROR, "")

    def on_idle(self) -> None:
        if not self._input_ended and not self._is_gone:
            return
        if self._unfed is not None or not self.is_idle:
            return
        if self._is_lost:
            self._free()
        elif self._is_gone:
            self._leave()
        else:
            self._may_send = False
            self._peer_is_gone()
            self._leave()
            self._transport.close()  # once all is sent

    # Output

    def _write(self, data: bytes) -> None:
        self._written += len(data)
        self._transport.write(data)

    def _flush(self) -> None:
        """Send what the parser wants sent. Of its pongs only the latest is needed (RFC 6455, 5.5.3)."""
        pong: bytes | None = None
        for data in self._protocol.data_to_send():
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
        if pong is not None and self._may_send:
            if self._held:
                self._pong = pong
            else:
                self._write(pong)

    # The end

    def fail(self, code: CloseCode, reason: str) -> None:
        self._refuse()
        if self._may_send:
            self._protocol.fail(code, reason)
            self._flush()
            self._may_send = False
            self._expect_end()

    def _refuse(self) -> None:
        """Carry out no further message; whatever comes is read for the answer to the close frame alone."""
        self._refuses = True
        self.drop_waiting()
        self._listener.loop.call_soon(self.feed_on)

    def _give_up(self) -> None:
        log.info("a client had left; the rest of what it had sent took too long, and is dropped")
        self._refuse()

    def _peer_is_gone(self) -> None:
        """It has closed the connection, or was cut off: nobody hears the answers to what it sent before."""
        if not self._is_gone:
            self._is_gone = True
            if self._handler is not None:
                self._handler.on_gone()
            self._pong = None
            self.release()

    def _expect_end(self, *, patient: bool = True) -> None:
        """The peer has its time to end the connection, whatever it still sends, from when it has had all frames."""
        if self._deadline is None:
            waiting = unsent(self._transport)
            self._taken = self._written - (waiting if waiting > _CLOSE_FRAME_MAX else 0)
            look = self._look_at_end if patient else self.abort
            self._set_deadline(self._listener.deadlines.after(self._listener.periods.close, look))

    def _look_at_end(self) -> None:
        """Cut the connection, unless bytes still leave, or an answer is still being made."""
        taken = self._written - unsent(self._transport)
        if taken > self._taken or (self._may_send and not self.is_idle and not self.buffered):
            self._taken = taken
            self._deadline = self._listener.deadlines.after(self._listener.periods.close, self._look_at_end)
        else:
            self.abort()

    def _set_deadline(self, deadline: Deadline | None) -> None:
        self._listener.deadlines.cancel(self._deadline)
        self._deadline = deadline

    def _leave(self) -> None:
        if self._handler is not None:
            self._handler.on_lost()
            self._handler = None

    def _free(self) -> None:
        """Cut the circles of references, so that the memory is free at once: the collector seldom comes by."""
        self._leave()
        self._set_deadline(None)
        vars(self._protocol).clear()  # its parser, a generator, refers to it
        self._listener.remove(self)
