"""UUIDs of version 7 (RFC 9562), made from a tick and read back into it.

A *tick* is a time with room for many events in one microsecond: the microseconds since the Unix epoch, times
``TICKS_PER_MICROSECOND``, plus a counter. It has 63 bits, from 1970 to 2112. A task's id is a tick.
"""

from __future__ import annotations

import functools
import os
from typing import Final

_COUNTER_BITS: Final = 11
TICKS_PER_MICROSECOND: Final = 1 << _COUNTER_BITS
_LAST_MILLISECOND: Final = (1 << 63) // (1000 * TICKS_PER_MICROSECOND) - 1  # in the year 2112


def first_tick(microseconds: int) -> int:
    """The first tick of a microsecond."""
    return microseconds << _COUNTER_BITS


def uuid7(tick: int) -> str:
    """A time-ordered UUID that contains the tick, in canonical form.

    The milliseconds are where the RFC wants them. The rest of the tick takes rand_a and the first 9 bits of rand_b (the
    RFC's methods 3 and 1). 53 bits are random.
    """
    millis, rest = divmod(tick, 1000 << _COUNTER_BITS)
    try:
        random_bits, text = _random.pop()
    except IndexError:
        random_bits, text = _refill_random()
    version_7 = 0x7000 | rest >> 9
    variant = 0x8000 | (rest & 0x1FF) << 5 | random_bits
    return f"{_format_milliseconds(millis)}-{version_7:x}-{variant:x}-{text}"


@functools.lru_cache(maxsize=4)
def _format_milliseconds(millis: int) -> str:
    text = f"{millis:012x}"
    return f"{text[:8]}-{text[8:]}"


def tick_of(uuid: str) -> int | None:
    """The tick in a canonical UUID, whoever made it; ``None`` where it can contain none."""
    if uuid[14] != "7":
        return None
    number = int(uuid.replace("-", "")[:20], 16)  # 48 bits of milliseconds, then 4, 12 and 16 bits
    millis, rest = number >> 32, number >> 7 & 0x1FFE00 | number >> 5 & 0x1FF
    if millis > _LAST_MILLISECOND or rest >= 1000 << _COUNTER_BITS:
        return None
    return millis * (1000 << _COUNTER_BITS) + rest


def _refill_random() -> tuple[int, str]:
    """Random bits for 256 UUIDs: a system call for each would cost as much as all the rest of a UUID."""
    octets = os.urandom(7 * 256)
    _random.extend(
        (octets[start] & 0x1F, octets[start + 1 : start + 7].hex()) for start in range(0, len(octets), 7)
    )
    return _random.pop()


_random: Final[list[tuple[int, str]]] = []
"""5 and 48 random bits for each UUID. ``pop`` is atomic, so two threads never take the same ones."""
os.register_at_fork(after_in_child=_random.clear)
