"""UUIDs of version 7 that contain a tick."""

from __future__ import annotations

import subprocess
import sys
import uuid

from hypothesis import example, given
from hypothesis import strategies as st

from shared.uuid7 import TICKS_PER_MICROSECOND, first_tick, tick_of, uuid7
from tests.support.processes import ROOT

LAST_TICK = (
    (1 << 63) // (1000 * TICKS_PER_MICROSECOND)
) * 1000 * TICKS_PER_MICROSECOND - 1  # of the last whole millisecond
ticks = st.integers(0, LAST_TICK)


@given(ticks)
def test_uuid7_is_as_in_rfc_9562(tick: int) -> None:
    text = uuid7(tick)
    made = uuid.UUID(text)
    assert str(made) == text, "canonical: lower case, dashed"
    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert made.int >> 80 == tick // TICKS_PER_MICROSECOND // 1000, "48 bits of milliseconds"


@given(ticks)
def test_uuid7_contains_its_tick(tick: int) -> None:
    assert tick_of(uuid7(tick)) == tick


@given(st.uuids())
@example(uuid.UUID(int=0))
@example(uuid.UUID(int=(1 << 128) - 1))
@example(uuid.UUID("ffffffff-ffff-7fff-bfff-ffffffffffff"))
@example(uuid.UUID("0190ffff-ffff-7fff-bfff-ffffffffffff"))  # microsecond 1023 of a millisecond
def test_any_uuid_contains_a_tick_of_63_bits_or_none(client_uuid: uuid.UUID) -> None:
    for text in (str(client_uuid), str(uuid.UUID(int=client_uuid.int & ~(0xF << 76) | 0x7 << 76))):
        tick = tick_of(text)
        if tick is not None:
            assert 0 <= tick <= LAST_TICK
            assert uuid7(tick)[:18] == text[:18], "its milliseconds, version and rand_a"


@given(st.lists(ticks, min_size=2, max_size=20))
def test_order_of_uuid7s_is_that_of_their_ticks(ticks: list[int]) -> None:
    near = [
        min(ticks[0] + step, LAST_TICK)
        for step in (
            1,
            511,
            512,
            TICKS_PER_MICROSECOND - 1,
            TICKS_PER_MICROSECOND,
            1000 * TICKS_PER_MICROSECOND,
        )
    ]
    made = [uuid7(number) for number in sorted({*ticks, *near})]
    assert sorted(made) == made


def test_uuid7s_of_one_tick_differ() -> None:
    assert len({uuid7(first_tick(1_700_000_000_000_000)) for _ in range(1000)}) == 1000


def test_forked_process_makes_other_uuid7s() -> None:
    program = r"""
import os
from shared.uuid7 import first_tick, uuid7
uuid7(first_tick(1_700_000_000_000_000))
child = os.fork()
os.write(1, uuid7(first_tick(1_700_000_000_000_000)).encode() + b"\n")
if child:
    os.wait()
"""
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert len(set(run.stdout.split())) == 2, run
