"""What a socket has received: bytes become frames, frames become messages, and those go into the inbox.

Bytes are given to the parser a few at a time, however many came at once, so that one client's frames do not take the
others' time; and only as long as the inbox has room.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol, cast

from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import Protocol as Parser

from ws_server.frames import size_on_the_wire, sole_text
from ws_server.inbox import AT_ONCE, Inbox

_SLICE_BYTES: Final = 2048  # a few hundred frames at most, so a few milliseconds
_FRAGMENTS_MAX: Final = 4096  # of one message
_SHORT_FRAGMENT: Final = 16  # bytes; one below this, but for the last of its message, counts as a message
_FRAME_HEAD_MAX_BYTES: Final = 14
_DISCARDED_MAX_BYTES: Final = 4 << 20  # read after our close frame, while the answer to it does not come
_TEXT: Final = Opcode.TEXT
_BINARY: Final = Opcode.BINARY
_CONTROL: Final = (Opcode.PING, Opcode.PONG)


class IntakeOwner(Protocol):
    """The socket, which deals with what the parser wants sent, and with the end."""

    def on_parsed(self) -> None:
        """The parser has been given something: it may want to answer, or to end the connection."""
        ...

    def on_close_frame(self) -> None:
        """What was received before it is in the inbox."""
        ...

    def on_idle(self) -> None:
        """Perhaps nothing is left to be carried out."""
        ...

    def fail(self, code: CloseCode, reason: str) -> None:
        """End the connection for a fault of the peer's."""
        ...


class _Fragments:
    """A message of which the end has not come yet."""

    __slots__ = ("count", "data", "opcode")

    def __init__(self, opcode: Opcode) -> None:
        self.opcode = opcode
        self.data = bytearray()
        self.count = 0


class Intake:
    """Attributes:
    message_max: bytes of the largest message; may be less than what the parser takes.
    was_heard: anything came since this was last set to False.
    has_ended: the peer has closed its side of the TCP connection.
    is_disconnected: the peer has closed the connection; what it sent before is carried out.
    """

    __slots__ = (
        "_discarded_bytes",
        "_fragments",
        "_owner",
        "_parser",
        "_partial_bytes",
        "_pending",
        "_transport",
        "has_ended",
        "inbox",
        "is_disconnected",
        "message_max",
        "was_heard",
    )

    def __init__(
        self, owner: IntakeOwner, transport: asyncio.Transport, parser: Parser, inbox: Inbox
    ) -> None:
        self._owner = owner
        self._transport = transport
        self._parser = parser
        self.inbox = inbox
        self._pending: bytes | None = None  # received, and not given to the parser yet
        self._partial_bytes = 0  # given to the parser, less those of the frames that it found
        self._fragments: _Fragments | None = None
        self._discarded_bytes: int | None = None  # that came after the stop; ``None`` before it
        self.message_max = parser.max_message_size
        self.was_heard = True
        self.has_ended = False
        self.is_disconnected = False

    @property
    def is_idle(self) -> bool:
        """Whether all that was received has been carried out."""
        return self._pending is None and self.inbox.is_idle

    @property
    def is_stopped(self) -> bool:
        """We have ended the connection: no further message is carried out."""
        return self._discarded_bytes is not None

    def stop(self) -> None:
        """Carry out no further message; whatever comes is read for the answer to the close frame alone."""
        if self._discarded_bytes is None:
            self._discarded_bytes = 0
        self.inbox.drop_waiting()
        asyncio.get_running_loop().call_soon(self.resume)

    def receive(self, data: bytes) -> None:
        if (
            self._partial_bytes == 0
            and self._fragments is None
            and self._pending is None
            and not self.is_disconnected
            and self._discarded_bytes is None
        ):
            text = sole_text(data, self.message_max)
            if text is not None:
                self.was_heard = True
                self._on_message(_TEXT, text, at_once=True)
                return
        if self._discarded_bytes is not None:
            self._discarded_bytes += len(data)
            if self._discarded_bytes > _DISCARDED_MAX_BYTES:
                self._transport.abort()
                return
        if self._pending is None:
            self._feed(data)
        else:
            self._pending += data

    def on_inbox_full(self) -> None:
        self._transport.pause_reading()

    def on_inbox_room(self) -> None:
        if self._pending is None:
            self._resume_reading()
        else:
            asyncio.get_running_loop().call_soon(self.resume)

    def resume(self) -> None:
        """Go on, after others had their turn."""
        data, self._pending = self._pending, None
        if data is not None:
            self._feed(data)
        self._resume_reading()
        self._owner.on_idle()

    def _resume_reading(self) -> None:
        """Have the transport read again, if that is possible now."""
        if (
            self._pending is None
            and self.inbox.has_room
            and not self.has_ended
            and not self._transport.is_closing()
            and not self._transport.is_reading()
        ):
            self._transport.resume_reading()

    def _feed(self, data: bytes) -> None:
        """Give what was received to the parser, until it is another's turn or too many messages wait."""
        frames = 0
        for start in range(0, len(data), _SLICE_BYTES):
            if frames >= AT_ONCE or self.inbox.is_full:
                self._pending = data[start:]
                self._transport.pause_reading()
                if not self.inbox.is_full:
                    asyncio.get_running_loop().call_soon(self.resume)
                return
            frames += self._parse(data[start : start + _SLICE_BYTES])

    def _parse(self, data: bytes) -> int:
        """Deal with the frames that are complete; returns their number."""
        self._partial_bytes += len(data)
        self._parser.receive_data(data)
        frames = cast(list[Frame], self._parser.events_received())
        self._owner.on_parsed()
        for number, frame in enumerate(frames):
            self._partial_bytes -= size_on_the_wire(frame)
            self._on_frame(frame, at_once=number < AT_ONCE)
        if self._is_too_big():
            self._fail_too_big()
        return len(frames)

    def _is_too_big(self) -> bool:
        """Whether what has come of a message is more than a whole one may have.

        That is known once the messages before it were started: the first of them may be the one that allows more.
        """
        if self.message_max is None or self._discarded_bytes is not None:
            return False
        size = len(self._parser.reader.buffer)
        if self._fragments is not None:
            size += len(self._fragments.data)
        return size > self.message_max + _FRAME_HEAD_MAX_BYTES

    def _fail_too_big(self) -> None:
        self._owner.fail(CloseCode.MESSAGE_TOO_BIG, f"message exceeds limit of {self.message_max} bytes")

    def _on_frame(self, frame: Frame, *, at_once: bool) -> None:
        self.was_heard = True  # whatever came, the peer is alive
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
            self._owner.on_close_frame()
        elif opcode in _CONTROL and self.inbox.handler is not None:
            self.inbox.handler.on_control()

    def _on_fragment(self, fragments: _Fragments, frame: Frame, at_once: bool) -> None:
        fragments.data += frame.data
        fragments.count += 1
        if frame.fin:
            self._fragments = None
            self._on_message(fragments.opcode, fragments.data, at_once)
        elif fragments.count >= _FRAGMENTS_MAX:
            self._owner.fail(CloseCode.MESSAGE_TOO_BIG, "too many fragments")
        elif len(frame.data) < _SHORT_FRAGMENT and self.inbox.handler is not None:
            self.inbox.handler.on_control()

    def _on_message(self, opcode: Opcode, data: bytes | bytearray | memoryview, at_once: bool) -> None:
        handler = self.inbox.handler
        if handler is None or self._discarded_bytes is not None:
            return
        if opcode is _BINARY:
            handler.on_binary()
            return
        if self.message_max is not None and len(data) > self.message_max:
            self._fail_too_big()
            return
        try:
            message = str(data, "utf-8")
        except UnicodeDecodeError as error:
            self._owner.fail(CloseCode.INVALID_DATA, f"{error.reason} at position {error.start}")
            return
        self.inbox.put(message, at_once)
