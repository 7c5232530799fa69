"""Timestamps whose text order is time order, and UUIDs of version 7."""

from __future__ import annotations

import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from shared.clock import TURNS, moment, moment_of, system_clock, timestamp, uuid7
from tests.support.processes import ROOT

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MOMENT = ((1 << 63) // (1000 * TURNS)) * 1000 * TURNS - 1  # of the last whole millisecond
instants = st.integers(0, 250_000_000_000_000_000)  # up to the year 9892
moments = st.integers(0, LAST_MOMENT)


@given(instants)
def test_timestamp_is_iso_8601_in_utc_with_microseconds(instant: int) -> None:
    text = timestamp(instant)
    assert len(text) == 27
    assert text.endswith("Z")
    assert datetime.fromisoformat(text) == EPOCH + timedelta(microseconds=instant)


def test_timestamp_of_the_contracts_example() -> None:
    assert timestamp(1_795_348_645_175_297) == "2026-11-22T11:57:25.175297Z"
    assert timestamp(0) == "1970-01-01T00:00:00.000000Z"


@given(instants, instants)
def test_text_order_is_time_order(first: int, second: int) -> None:
    assert (timestamp(first) < timestamp(second)) == (first < second)


@given(moments)
def test_uuid7_is_one_of_rfc_9562(number: int) -> None:
    text = uuid7(number)
    made = uuid.UUID(text)
    assert str(made) == text, "canonical: lower case, dashed"
    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert made.int >> 80 == number // TURNS // 1000, "48 bits of milliseconds"


@given(moments)
def test_uuid7_says_its_moment(number: int) -> None:
    assert moment_of(uuid7(number)) == number


@given(st.uuids())
@example(uuid.UUID(int=0))
@example(uuid.UUID(int=(1 << 128) - 1))
@example(uuid.UUID("ffffffff-ffff-7fff-bfff-ffffffffffff"))
@example(uuid.UUID("0190ffff-ffff-7fff-bfff-ffffffffffff"))  # microsecond 1023 of a millisecond
def test_any_uuid_says_a_moment_of_63_bits_or_none(brought: uuid.UUID) -> None:
    for text in (str(brought), str(uuid.UUID(int=brought.int & ~(0xF << 76) | 0x7 << 76))):
        said = moment_of(text)
        if said is not None:
            assert 0 <= said <= LAST_MOMENT
            assert uuid7(said)[:18] == text[:18], "its milliseconds, version and rand_a"


@given(st.lists(moments, min_size=2, max_size=20))
def test_order_of_uuid7s_is_that_of_their_moments(numbers: list[int]) -> None:
    near = [min(numbers[0] + step, LAST_MOMENT) for step in (1, 511, 512, TURNS - 1, TURNS, 1000 * TURNS)]
    made = [uuid7(number) for number in sorted({*numbers, *near})]
    assert sorted(made) == made


def test_uuid7s_of_one_moment_differ() -> None:
    assert len({uuid7(moment(1_700_000_000_000_000)) for _ in range(1000)}) == 1000


def test_clock_is_now_in_microseconds() -> None:
    before = datetime.now(UTC)
    now = EPOCH + timedelta(microseconds=system_clock())
    assert before - timedelta(milliseconds=1) <= now <= datetime.now(UTC) + timedelta(milliseconds=1)


def test_process_that_was_forked_makes_other_uuid7s() -> None:
    program = r"""
import os
from shared.clock import moment, uuid7
uuid7(moment(1_700_000_000_000_000))
child = os.fork()
os.write(1, uuid7(moment(1_700_000_000_000_000)).encode() + b"\n")
if child:
    os.wait()
"""
    said = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert len(set(said.stdout.split())) == 2, said
