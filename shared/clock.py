"""Time and the identifiers that are made from it; injected, so that tests can move it."""

from __future__ import annotations

import functools
import os
import struct
import time
from collections.abc import Callable
from typing import Final

Clock = Callable[[], int]
"""Microseconds since the Unix epoch, UTC."""


def system_clock() -> int:
    """The wall clock, in microseconds."""
    return time.time_ns() // 1000


def timestamp(microseconds: int) -> str:
    """``2026-11-22T11:57:25.175297Z``: always six digits, so that text order is time order."""
    seconds, fraction = divmod(microseconds, 1_000_000)
    return f"{_to_the_second(seconds)}.{fraction:06d}Z"


@functools.lru_cache(maxsize=4)
def _to_the_second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


_TURN_BITS: Final = 11
TURNS: Final = 1 << _TURN_BITS
"""How many things may be of one microsecond."""
_LAST_MILLISECOND: Final = (1 << 63) // (1000 * TURNS) - 1  # in the year 2112


def moment(microseconds: int) -> int:
    """The first *moment* of a microsecond: a number of 63 bits that goes on by one for each of its ``TURNS``."""
    return microseconds << _TURN_BITS


def uuid7(moment: int) -> str:
    """A time-ordered UUID (RFC 9562, version 7) that says its moment, canonical.

    Its milliseconds are where the RFC wants them; the rest of the moment takes rand_a and the first 9 bits of rand_b
    (the RFC's methods 3 and 1), and 53 bits are random.
    """
    millis, rest = divmod(moment, 1000 << _TURN_BITS)
    try:
        random_bits = _random_bits.pop()
    except IndexError:
        random_bits = _more_random_bits()
    text = (
        f"{millis << 80 | 0x7 << 76 | rest >> 9 << 64 | 0b10 << 62 | (rest & 0x1FF) << 53 | random_bits:032x}"
    )
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def moment_of(uuid: str) -> int | None:
    """The moment that a canonical UUID says, whoever made it; ``None`` where it can say none."""
    if uuid[14] != "7":
        return None
    millis, rest = (
        int(uuid[:8] + uuid[9:13], 16),
        int(uuid[15:18], 16) << 9 | int(uuid[19:23], 16) >> 5 & 0x1FF,
    )
    if millis > _LAST_MILLISECOND or rest >= 1000 << _TURN_BITS:
        return None
    return millis * (1000 << _TURN_BITS) + rest


def _more_random_bits() -> int:
    """A system call for each costs as much as all else about a UUID."""
    _random_bits.extend(word >> 11 for (word,) in struct.iter_unpack("Q", os.urandom(8 * 256)))
    return _random_bits.pop()


_random_bits: Final[list[int]] = []
"""53 at a time, each used once, whichever thread takes it."""
os.register_at_fork(after_in_child=_random_bits.clear)
