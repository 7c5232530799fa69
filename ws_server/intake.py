"""What a socket has received: bytes become frames, frames become messages, and those go into the inbox.

Bytes are given to the parser a few at a time, however many came at once, so that one client's frames do not take the
others' time; and only as long as the inbox has room.
"""

from __future__ import annotations

import asyncio
from typing import Final, cast

from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import Protocol as Parser

from ws_server.frames import size_on_the_wire, sole_text
from ws_server.inbox import AT_ONCE, INBOX_HIGH, INBOX_LOW, Inbox

_SLICE_BYTES: Final = 2048  # a few hundred frames at most, so a few milliseconds
_FRAGMENTS_MAX: Final = 4096  # of one message
_SHORT_FRAGMENT: Final = 16  # bytes; one below this, but for the last of its message, counts as a message
_FRAME_HEAD_MAX_BYTES: Final = 14
_LEFT_OVER_MAX_BYTES: Final = 4 << 20  # read after our close frame, while the answer to it does not come
_TEXT: Final = Opcode.TEXT
_BINARY: Final = Opcode.BINARY
_CONTROL: Final = (Opcode.PING, Opcode.PONG)


class _Fragments:
    """A message of which the end has not come yet."""

    __slots__ = ("count", "data", "opcode")

    def __init__(self, opcode: Opcode) -> None:
        self.opcode = opcode
        self.data = bytearray()
        self.count = 0


class Intake(Inbox):
    """Base of a socket, which deals with what the parser wants sent, and with the end."""

    __slots__ = (
        "_fragments",
        "_input_ended",
        "_is_gone",
        "_left_over",
        "_message_max",
        "_pinged",
        "_protocol",
        "_refuses",
        "_transport",
        "_unfed",
        "_unparsed",
    )

    def __init__(self, transport: asyncio.Transport, parser: Parser) -> None:
        super().__init__()
        self._transport = transport
        self._protocol = parser
        self._message_max = parser.max_message_size  # bytes; may be less than what the parser takes
        self._unfed: bytes | None = None  # received, and not given to the parser yet
        self._unparsed = 0  # bytes that the parser was given, less those of the frames that it found
        self._fragments: _Fragments | None = None
        self._pinged = False  # and nothing heard since
        self._input_ended = False  # the peer has closed its side of the TCP connection
        self._is_gone = False  # the peer has closed the connection; what it sent before is carried out
        self._refuses = False  # no further message is carried out: we have ended the connection
        self._left_over = 0  # bytes that came after that

    def on_parsed(self) -> None:
        """The parser has been given something: it may want to answer, or to end the connection."""
        raise NotImplementedError

    def on_close_frame(self) -> None:
        """What was received before it is in the inbox."""
        raise NotImplementedError

    def fail(self, code: CloseCode, reason: str) -> None:
        """End the connection for a fault of the peer's."""
        raise NotImplementedError

    def on_room(self) -> None:
        if self._unfed is None:
            self.read_on()
        else:
            asyncio.get_running_loop().call_soon(self.feed_on)

    def data_received(self, data: bytes) -> None:
        if (
            self._unparsed == 0
            and self._fragments is None
            and self._unfed is None
            and not self._is_gone
            and not self._refuses
        ):
            text = sole_text(data, self._message_max)
            if text is not None:
                self._pinged = False
                self._on_message(_TEXT, text, at_once=True)
                return
        if self._refuses:
            self._left_over += len(data)
            if self._left_over > _LEFT_OVER_MAX_BYTES:
                self._transport.abort()
                return
        if self._unfed is None:
            self._feed(data)
        else:
            self._unfed += data

    def _feed(self, data: bytes) -> None:
        """Give what was received to the parser, until it is another's turn or too many messages wait."""
        frames = 0
        for start in range(0, len(data), _SLICE_BYTES):
            if frames >= AT_ONCE or self.is_full:
                self._unfed = data[start:]
                self._transport.pause_reading()
                if not self.is_full:
                    asyncio.get_running_loop().call_soon(self.feed_on)
                return
            frames += self._parse(data[start : start + _SLICE_BYTES])

    def feed_on(self) -> None:
        """Go on where others had their turn."""
        data, self._unfed = self._unfed, None
        if data is not None:
            self._feed(data)
        self.read_on()
        self.on_idle()

    def read_on(self) -> None:
        """Have the transport read again, if that is possible now."""
        if (
            self._unfed is None
            and (self._waiting is None or len(self._waiting) <= INBOX_LOW)
            and not self._input_ended
            and not self._transport.is_closing()
            and not self._transport.is_reading()
        ):
            self._transport.resume_reading()

    def _parse(self, data: bytes) -> int:
        """Deal with the frames that are complete; returns their number."""
        self._unparsed += len(data)
        self._protocol.receive_data(data)
        frames = cast(list[Frame], self._protocol.events_received())
        self.on_parsed()
        for number, frame in enumerate(frames):
            self._unparsed -= size_on_the_wire(frame)
            self._on_frame(frame, at_once=number < AT_ONCE)
        if self._is_too_big():
            self._fail_too_big()
        return len(frames)

    def _is_too_big(self) -> bool:
        """Whether what has come of a message is more than a whole one may have.

        That is known once the messages before it were taken up: the first of them may be the one that allows more.
        """
        if self._message_max is None or self._refuses:
            return False
        size = len(self._protocol.reader.buffer)
        if self._fragments is not None:
            size += len(self._fragments.data)
        return size > self._message_max + _FRAME_HEAD_MAX_BYTES

    def _fail_too_big(self) -> None:
        self.fail(CloseCode.MESSAGE_TOO_BIG, f"message exceeds limit of {self._message_max} bytes")

    def _on_frame(self, frame: Frame, *, at_once: bool) -> None:
        self._pinged = False  # whatever came, the peer is alive
        opcode, fragments = frame.opcode, self._fragments
        if opcode is _TEXT or opcode is _BINARY:
            if frame.fin:
                self._on_message(opcode, frame.data, at_once)
            else:
                fragments = self._fragments = _Fragments(opcode)
                self._on_fragment(fragments, frame, at_once)
            frame.data = b""  # the parser keeps the last frame as long as the connection is silent
        elif opcode is Opcode.CONT and fragments is not None:
            self._on_fragment(fragments, frame, at_once)
            frame.data = b""
        elif opcode is Opcode.CLOSE:
            self.on_close_frame()
        elif opcode in _CONTROL and self._handler is not None:
            self._handler.on_control()

    def _on_fragment(self, fragments: _Fragments, frame: Frame, at_once: bool) -> None:
        fragments.data += frame.data
        fragments.count += 1
        if frame.fin:
            self._fragments = None
            self._on_message(fragments.opcode, fragments.data, at_once)
        elif fragments.count >= _FRAGMENTS_MAX:
            self.fail(CloseCode.MESSAGE_TOO_BIG, "too many fragments")
        elif len(frame.data) < _SHORT_FRAGMENT and self._handler is not None:
            self._handler.on_control()

    def _on_message(self, opcode: Opcode, data: bytes | bytearray | memoryview, at_once: bool) -> None:
        handler = self._handler
        if handler is None or self._refuses:
            return
        if opcode is _BINARY:
            handler.on_binary()
            return
        if self._message_max is not None and len(data) > self._message_max:
            self._fail_too_big()
            return
        try:
            message = str(data, "utf-8")
        except UnicodeDecodeError as error:
            self.fail(CloseCode.INVALID_DATA, f"{error.reason} at position {error.start}")
            return
        self.put(handler, message, at_once)
        if self._waiting is not None and len(self._waiting) == INBOX_HIGH:
            self._transport.pause_reading()
