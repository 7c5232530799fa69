"""Time and the identifiers that are made from it; injected, so that tests can move it."""

from __future__ import annotations

import functools
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
    text = (timed.to_bytes(8, "big") + os.urandom(8)).hex()
    variant = "89ab"[int(text[16], 16) & 3]  # 0b10, and two random bits
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{variant}{text[17:20]}-{text[20:]}"
