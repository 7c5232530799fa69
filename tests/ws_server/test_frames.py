"""The short cut for the commonest frames gives what the library's parser gives, and leaves it all others."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import SERVER, Protocol
from websockets.server import ServerProtocol

from ws_server import intake
from ws_server.deadlines import Deadlines
from ws_server.frames import size_on_the_wire, sole_text, text_on_the_wire
from ws_server.http_port import HttpPort
from ws_server.open_sockets import OpenSockets
from ws_server.transport import Socket

SIZES = [0, 1, 125, 126, 127, 65_535, 65_536, 65_537]
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def _masked(opcode: int, data: bytes = b"", *, fin: bool = True) -> bytes:
    return Frame(Opcode(opcode), data, fin).serialize(mask=True)


WHOLE = _masked(Opcode.TEXT, b"text")


@pytest.mark.parametrize("size", SIZES)
def test_text_on_the_wire_is_the_librarys(size: int) -> None:
    text = b"x" * size
    assert text_on_the_wire(text) == Frame(Opcode.TEXT, text).serialize(mask=False)


@pytest.mark.parametrize("size", SIZES)
def test_size_on_the_wire_is_that_of_the_librarys_frames(size: int) -> None:
    frame = Frame(Opcode.BINARY, b"x" * size)
    assert size_on_the_wire(frame) == len(frame.serialize(mask=True))


@pytest.mark.parametrize("size", SIZES)
def test_sole_text_is_one_below_64_kib(size: int) -> None:
    text = bytes(number % 256 for number in range(size))
    assert sole_text(_masked(Opcode.TEXT, text), None) == (text if size < 65_536 else None)


def test_sole_text_is_no_longer_than_it_may_be() -> None:
    data = _masked(Opcode.TEXT, b"x" * 200)
    assert sole_text(data, 200) == b"x" * 200
    assert sole_text(data, 199) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x81",
        b"\x81\xfe",
        WHOLE[:-1],
        WHOLE + b"\x81",
        WHOLE * 2,
        _masked(Opcode.TEXT, b"text", fin=False),
        *[bytes([WHOLE[0] | reserved]) + WHOLE[1:] for reserved in (0x10, 0x20, 0x40)],
        *[_masked(opcode, b"text") for opcode in Opcode if opcode is not Opcode.TEXT],
        Frame(Opcode.TEXT, b"a text that is not masked").serialize(mask=False),
        Frame(Opcode.TEXT, b"x" * 200).serialize(mask=False),
    ],
    ids=itertools.count(),  # a mask is random, the name of a test must not be
)
def test_every_other_frame_is_for_the_parser(data: bytes) -> None:
    assert sole_text(data, None) is None


class Heard:
    """A handler that writes down its messages."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def on_message(self, message: str) -> None:
        self.messages.append(message)

    def on_binary(self) -> None:
        self.messages.append("binary")

    def on_control(self) -> None:
        pass

    def on_disconnected(self) -> None:
        pass

    def on_closed(self) -> None:
        pass


class Wire:
    """A transport that keeps what is written to it, and hands what is received to whose it is."""

    def __init__(self) -> None:
        self.written = b""
        self.protocol: Any = None

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def write(self, data: bytes) -> None:
        self.written += data

    def set_write_buffer_limits(self, high: int) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, name: str) -> None:
        return None

    def can_write_eof(self) -> bool:
        return False

    def is_closing(self) -> bool:
        return False

    def is_reading(self) -> bool:
        return True


def _open_socket(handshake: bytes = HANDSHAKE) -> tuple[Socket, Wire, Heard]:
    heard, wire = Heard(), Wire()
    sockets = OpenSockets(Deadlines())

    def open_socket(transport: asyncio.Transport, opened: float, request_id: str, data: bytes) -> None:
        socket = Socket(sockets, transport, Protocol(SERVER, max_size=300))
        socket.start(cast("Any", heard), data)

    connection = HttpPort(sockets, ServerProtocol().accept, open_socket, 5.0)()
    wire.protocol = connection
    connection.connection_made(cast("Any", wire))
    connection.data_received(handshake)
    return wire.protocol, wire, heard


async def _receive(pieces: list[bytes]) -> tuple[list[str], bytes]:
    """The messages of a connection that brought these pieces, and what it was answered."""
    _, wire, heard = _open_socket(pieces[0])
    for piece in pieces[1:]:
        wire.protocol.data_received(piece)
    for _ in range(3):  # messages beyond the first sixteen of a piece wait for the others' turn
        await asyncio.sleep(0)
    return heard.messages, wire.written.partition(b"\r\n\r\n")[2]


texts = st.binary(max_size=4) | st.sampled_from([b"x" * size for size in (125, 126, 300, 301)])
frames = st.one_of(
    *[st.builds(_masked, st.just(Opcode.TEXT), texts)] * 5,
    st.builds(_masked, st.just(Opcode.TEXT), texts, fin=st.just(False)),
    st.builds(_masked, st.just(Opcode.CONT), texts, fin=st.booleans()),
    st.builds(_masked, st.sampled_from([Opcode.PING, Opcode.PONG, Opcode.BINARY, Opcode.CLOSE])),
    st.just(b"\x81\xfe\x00\x02\x00\x00\x00\x00ok"),  # a size in more bytes than it needs
    st.just(b"\x91" + WHOLE[1:]),  # a reserved bit
    st.just(b"\r\n\r\n"),
)


@settings(deadline=None, max_examples=400, derandomize=True, database=None)
@given(st.lists(frames, max_size=8), st.data())
def test_frames_in_any_pieces_are_what_the_parser_makes_of_them(
    sent: list[bytes], data: st.DataObject
) -> None:
    stream = HANDSHAKE + b"".join(sent)
    ends = {len(HANDSHAKE) + sum(map(len, sent[:number])) for number in range(len(sent))}
    if data.draw(st.booleans()):
        ends = data.draw(st.sets(st.integers(0, len(stream)), max_size=4))
    cuts = sorted({0, *ends})
    pieces = [stream[start:end] for start, end in zip(cuts, [*cuts[1:], len(stream)], strict=True)]
    with pytest.MonkeyPatch.context() as patch:
        by_short_cut = asyncio.run(_receive(pieces))
        patch.setattr(intake, "sole_text", lambda data, max_size: None)
        assert by_short_cut == asyncio.run(_receive(pieces))


@pytest.mark.parametrize(
    "pieces",
    [
        [HANDSHAKE, _masked(Opcode.TEXT, b"half", fin=False), WHOLE],
        [HANDSHAKE + b"\x81\x92\x00\x00\x00\x00\r\n\r\n", WHOLE, b"\x81\x80"],
        [HANDSHAKE[:-2], HANDSHAKE[-2:], WHOLE],
        [HANDSHAKE[:-1], HANDSHAKE[-1:] + b"\x81\x92\x00\x00\x00\x00\r\n\r\n", WHOLE, b"\x81\x80"],
        [HANDSHAKE, _masked(Opcode.CLOSE), WHOLE],
    ],
    ids=[
        "amid fragments",
        "amid one that came with the handshake",
        "after a handshake in pieces",
        "amid one that came with its last piece",
        "after the end",
    ],
)
def test_frame_at_a_wrong_place_is_the_parsers(monkeypatch: pytest.MonkeyPatch, pieces: list[bytes]) -> None:
    by_short_cut = asyncio.run(_receive(pieces))
    monkeypatch.setattr(intake, "sole_text", lambda data, max_size: None)
    assert by_short_cut == asyncio.run(_receive(pieces))


async def test_message_by_the_short_cut_is_a_sign_of_life() -> None:
    socket, wire, heard = _open_socket()
    for _ in range(3):
        socket.keep_alive()
        socket.data_received(WHOLE)
    assert heard.messages == ["text"] * 3
    assert b"keepalive" not in wire.written
    socket.keep_alive()
    socket.keep_alive()
    assert b"keepalive" in wire.written


def test_short_cut_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the handshake, and after frames that it is not for; not in the middle of one."""
    taken = []

    def watched(data: bytes, max_size: int | None) -> bytes | None:
        text = sole_text(data, max_size)
        if text is not None:
            taken.append(text)
        return text

    monkeypatch.setattr(intake, "sole_text", watched)
    start, rest = _masked(Opcode.TEXT, b"in ", fin=False), _masked(Opcode.CONT, b"two")
    one, ping, long = WHOLE, _masked(Opcode.PING), _masked(Opcode.TEXT, b"x" * 300)
    pieces = [HANDSHAKE, one, ping, one, start, rest, one, one[:3], one[3:] + long[:9], long[9:], one]
    messages, _ = asyncio.run(_receive(pieces))
    assert messages == ["text", "text", "in two", "text", "text", "x" * 300, "text"]
    assert taken == [b"text"] * 4
