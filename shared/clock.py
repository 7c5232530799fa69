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


def uuid7(microseconds: int) -> str:
    """A time-ordered UUID (RFC 9562, version 7, with the sub-millisecond part in rand_a).

    New keys go to the end of the index, which makes inserts about twice as fast as random ones.
    """
    millis, rest = divmod(microseconds, 1000)
    timed = (millis & 0xFFFF_FFFF_FFFF) << 16 | 0x7000 | rest * 4096 // 1000
    try:
        rest_of_it = _rests.pop()
    except IndexError:
        rest_of_it = _more_rests()
    text = (timed.to_bytes(8, "big") + rest_of_it).hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _more_rests() -> bytes:
    """A system call for each costs as much as all else about a UUID."""
    octets = os.urandom(8 * 256)
    _rests.extend((word >> 2 | 0b10 << 62).to_bytes(8, "big") for (word,) in struct.iter_unpack("Q", octets))
    return _rests.pop()


_rests: Final[list[bytes]] = []
"""The variant 0b10 and 62 random bits, each used once, whichever thread takes it."""
os.register_at_fork(after_in_child=_rests.clear)
