"""The wall clock, the uptime, and timestamps. Both clocks are passed in wherever they are used, so that tests can set them."""

from __future__ import annotations

import functools
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

Clock = Callable[[], int]
"""Microseconds since the Unix epoch, UTC."""


def system_clock() -> int:
    """Now, by the wall clock."""
    return time.time_ns() // 1000


def uptime() -> float:
    """Seconds since the machine started, which nobody can set. Includes sleep (on Linux); the same in all its processes."""
    return time.clock_gettime(_UPTIME)


_UPTIME: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def _read_boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:  # not on Linux: uptimes are comparable within this process only
        return secrets.token_hex(16)


BOOT: Final = _read_boot_id()
"""Identifies the boot that ``uptime`` counts from."""


class ClockReading(NamedTuple):
    """Both clocks, read at once. ``time``: Unix seconds. ``uptime``: seconds since the boot ``boot``."""

    time: int
    uptime: float
    boot: str

    def seconds_since(self, earlier: ClockReading) -> float:
        """By the uptime; by the wall clock where the machine was rebooted in between."""
        if self.boot == earlier.boot:
            return self.uptime - earlier.uptime
        return max(0, self.time - earlier.time)


def read_clocks() -> ClockReading:
    """Both clocks of this machine, now."""
    return ClockReading(system_clock() // 1_000_000, uptime(), BOOT)


def timestamp(microseconds: int) -> str:
    """``2026-11-22T11:57:25.175297Z``: always six decimals, so that the order of the text is the order in time."""
    seconds, fraction = divmod(microseconds, 1_000_000)
    return f"{_format_seconds(seconds)}.{fraction:06d}Z"


@functools.lru_cache(maxsize=4)
def _format_seconds(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def parse_timestamp(text: str) -> int:
    """The microseconds of a ``timestamp``, or of another time in ISO 8601 that says its offset. Raises ValueError."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"a time without an offset from UTC: {text!r}")
    return (time - _EPOCH) // timedelta(microseconds=1)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
