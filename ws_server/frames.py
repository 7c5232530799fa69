"""The layout of the commonest frames (RFC 6455, 5.2), for what the library's parser need not be asked for.

Nearly every message is one short text frame, and comes alone. The parser, which is ready for any frame in any
pieces, takes several times as long for it (``python -m benchmarks.comparisons``).
"""

from __future__ import annotations

from typing import Final

from websockets.frames import Frame

try:
    from websockets.speedups import apply_mask
except ImportError:
    from websockets.utils import apply_mask

PONG_BYTE: Final = b"\x8a"  # the first of a pong frame
_WHOLE_TEXT: Final = 0x81  # the last frame of its message, and the first
_MASKED: Final = 0x80
_TWO_BYTES: Final = 126  # say the size, or, one above this, eight
_MASK_SIZE: Final = 4


def text_on_the_wire(text: bytes) -> bytes:
    """A text message as a server sends it, unmasked: the same for every socket."""
    size = len(text)
    if size < _TWO_BYTES:
        return b"%c%c%b" % (_WHOLE_TEXT, size, text)
    if size < 1 << 16:
        return b"%c%c%b%b" % (_WHOLE_TEXT, _TWO_BYTES, size.to_bytes(2, "big"), text)
    return b"%c%c%b%b" % (_WHOLE_TEXT, _TWO_BYTES + 1, size.to_bytes(8, "big"), text)


def sole_text(data: bytes, max_size: int | None) -> bytes | None:
    """The text of a client's message that is one frame below 64 KiB and all of ``data``; ``None`` for all else.

    What is longer than ``max_size`` is left to the parser, too, and so is whatever is no proper frame.
    """
    if len(data) < 2 + _MASK_SIZE or data[0] != _WHOLE_TEXT:
        return None
    size, start = data[1] - _MASKED, 2 + _MASK_SIZE
    if size == _TWO_BYTES:
        size, start = int.from_bytes(data[2:4], "big"), start + 2
    elif not 0 <= size < _TWO_BYTES:
        return None
    if len(data) != start + size or (max_size is not None and size > max_size):
        return None
    return apply_mask(data[start:], data[start - _MASK_SIZE : start])


def size_on_the_wire(frame: Frame) -> int:
    """The fewest bytes in which a client can have sent a frame; only one that wastes some takes more."""
    size = len(frame.data)
    return size + 2 + _MASK_SIZE + (0 if size < _TWO_BYTES else 2 if size < 1 << 16 else 8)
