"""Times, durations, and the identifiers that are made from them; the clocks are injected, so that tests can move them."""

from __future__ import annotations

import functools
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

Clock = Callable[[], int]
"""Microseconds since the Unix epoch, UTC."""


def system_clock() -> int:
    """The wall clock, in microseconds."""
    return time.time_ns() // 1000


def uptime() -> float:
    """Seconds that no one sets: since the machine's start, sleep included (on Linux), the same for all its processes."""
    return time.clock_gettime(_UPTIME)


_UPTIME: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def _read_boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:  # not on Linux: then uptimes are compared within this process only
        return secrets.token_hex(16)


BOOT: Final = _read_boot()
"""Names the start of the machine that ``uptime`` counts from."""


class Reading(NamedTuple):
    """What the clocks said at one moment. ``time`` is in Unix seconds, ``uptime`` in those since ``boot``."""

    time: int
    uptime: float
    boot: str

    def seconds_since(self, earlier: Reading) -> float:
        """By the uptime, which nobody can set; by the clock where the machine was started anew in between."""
        if self.boot == earlier.boot:
            return self.uptime - earlier.uptime
        return max(0, self.time - earlier.time)


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
    """The first *moment* of a microsecond: a number that goes on by one for each of its ``TURNS``.

    Of 63 bits from 1970 to 2112; a clock outside of that can make no tasks.
    """
    return microseconds << _TURN_BITS


def uuid7(moment: int) -> str:
    """A time-ordered UUID (RFC 9562, version 7) that says its moment, canonical.

    Its milliseconds are where the RFC wants them; the rest of the moment takes rand_a and the first 9 bits of rand_b
    (the RFC's methods 3 and 1), and 53 bits are random.
    """
    millis, rest = divmod(moment, 1000 << _TURN_BITS)
    try:
        random_bits, text = _random.pop()
    except IndexError:
        random_bits, text = _more_random()
    version_7 = 0x7000 | rest >> 9
    variant = 0x8000 | (rest & 0x1FF) << 5 | random_bits
    return f"{_to_the_millisecond(millis)}-{version_7:x}-{variant:x}-{text}"


@functools.lru_cache(maxsize=4)
def _to_the_millisecond(millis: int) -> str:
    text = f"{millis:012x}"
    return f"{text[:8]}-{text[8:]}"


def moment_of(uuid: str) -> int | None:
    """The moment that a canonical UUID says, whoever made it; ``None`` where it can say none."""
    if uuid[14] != "7":
        return None
    number = int(uuid.replace("-", "")[:20], 16)  # of 48 bits, 4, 12 and 16
    millis, rest = number >> 32, number >> 7 & 0x1FFE00 | number >> 5 & 0x1FF
    if millis > _LAST_MILLISECOND or rest >= 1000 << _TURN_BITS:
        return None
    return millis * (1000 << _TURN_BITS) + rest


def _more_random() -> tuple[int, str]:
    """A system call for each costs as much as all else about a UUID."""
    octets = os.urandom(7 * 256)
    _random.extend(
        (octets[start] & 0x1F, octets[start + 1 : start + 7].hex()) for start in range(0, len(octets), 7)
    )
    return _random.pop()


_random: Final[list[tuple[int, str]]] = []
"""5 bits and 48, each used once, whichever thread takes them."""
os.register_at_fork(after_in_child=_random.clear)
