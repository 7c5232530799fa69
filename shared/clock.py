"""Time and the identifiers that are made from it; injected, so that tests can move it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Microseconds since the Unix epoch, UTC."""


def system_clock() -> int:
    """The wall clock, in microseconds."""
    return time.time_ns() // 1000


def timestamp(microseconds: int) -> str:
    """``2026-11-22T11:57:25.175297Z``: always six digits, so that text order is time order."""
    seconds, fraction = divmod(microseconds, 1_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{fraction:06d}Z"


def uuid7(microseconds: int) -> str:
    """A time-ordered UUID (RFC 9562, version 7, with the sub-millisecond part in rand_a).

    New keys go to the end of the index, which makes inserts about twice as fast as random ones.
    """
    millis, rest = divmod(microseconds, 1000)
    random = int.from_bytes(os.urandom(8), "big") & 0x3FFF_FFFF_FFFF_FFFF
    value = (millis & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | (rest * 4096 // 1000) << 64 | 0b10 << 62 | random
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
