"""The clock that rows are deleted by against a plain list of its readings."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.clock import ClockReading
from shared.decisions.aging import EvenClock, follow_clock, may_delete

_PATIENCE = 20
_STEPS = st.lists(
    st.tuples(
        st.integers(0, 15),  # seconds that pass
        st.just(0)
        | st.integers(-3, 3)
        | st.sampled_from([-1000, -30, 30, 1000]),  # by which the clock is set
        st.sampled_from([False, False, False, True]),  # the machine is started anew
    ),
    min_size=1,
    max_size=20,
)


@given(_STEPS)
def test_rows_go_only_after_readings_that_agree_for_long_enough(steps: list[tuple[int, int, bool]]) -> None:
    known: EvenClock | None = None
    time, uptime, boot = 1_700_000_000, 500, 0
    readings: list[ClockReading] = []
    for passed, is_set_by, is_restarted in steps:
        time += passed + is_set_by
        uptime, boot = (1, boot + 1) if is_restarted else (uptime + passed, boot)
        at = ClockReading(time, uptime, f"boot {boot}")
        readings.append(at)
        known = follow_clock(known, at)
        assert may_delete(known, at, _PATIENCE) == (_even_seconds(readings) >= _PATIENCE)


def _even_seconds(readings: list[ClockReading]) -> float:
    """How long the clock has stayed within five seconds of where it was at the first of the readings that agree."""
    first = readings[0]
    for reading in readings:
        shift = (reading.time - reading.uptime) - (first.time - first.uptime)
        if reading.boot != first.boot or abs(shift) > 5:
            first = reading
    return readings[-1].uptime - first.uptime
