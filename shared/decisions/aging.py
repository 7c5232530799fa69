"""When rows of accounts whose time is over may be deleted: never because of one reading of the clock.

A clock may be wrong for a while: after a start without a network, or because somebody set it. So rows are deleted only when
the clock has run evenly beside the uptime for as long as a row must be past its time.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from shared.clock import ClockReading

REVOCATIONS_KEPT_SECONDS: Final = 3600  # every process has heard of them by then
_STEP_SECONDS: Final = 5  # a clock that is slewed stays below it; one that is set does not


class EvenClock(NamedTuple):
    """Since when the clock has run evenly: ``ahead`` of the uptime by the same seconds since that uptime of that boot."""

    boot: str
    ahead: float
    since: float


def follow_clock(known: EvenClock | None, at: ClockReading) -> EvenClock:
    """``known`` while the clock runs evenly; a new beginning where it was set, or the machine was restarted."""
    ahead = at.time - at.uptime
    if known is not None and known.boot == at.boot and abs(ahead - known.ahead) <= _STEP_SECONDS:
        return known
    return EvenClock(at.boot, ahead, at.uptime)


def may_delete(clock: EvenClock, at: ClockReading, patience: int) -> bool:
    """Whether the clock has run evenly for ``patience`` seconds. Then rows whose time was over that long ago may go."""
    return at.uptime - clock.since >= patience
