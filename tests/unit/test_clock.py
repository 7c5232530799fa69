"""Timestamps whose text order is time order, and UUIDs of version 7."""

from __future__ import annotations

import os
import uuid
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.clock import system_clock, timestamp, uuid7

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
instants = st.integers(0, 250_000_000_000_000_000)  # up to the year 9892


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


@given(instants)
def test_uuid7_is_one_of_rfc_9562(instant: int) -> None:
    text = uuid7(instant)
    made = uuid.UUID(text)
    assert str(made) == text, "canonical: lower case, dashed"
    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert made.int >> 80 == instant // 1000, "48 bits of milliseconds"


@given(st.lists(instants, min_size=2, max_size=20, unique=True))
def test_order_of_uuid7s_is_time_order_to_the_microsecond(instants: list[int]) -> None:
    near = [*instants, instants[0] + 1, instants[0] + 2]
    assert sorted(near) == [instant for _, instant in sorted((uuid7(instant), instant) for instant in near)]


def test_uuid7s_of_one_moment_differ() -> None:
    assert len({uuid7(1_700_000_000_000_000) for _ in range(1000)}) == 1000


def test_clock_is_now_in_microseconds() -> None:
    before = datetime.now(UTC)
    now = EPOCH + timedelta(microseconds=system_clock())
    assert before - timedelta(milliseconds=1) <= now <= datetime.now(UTC) + timedelta(milliseconds=1)


def test_process_that_was_forked_makes_other_uuid7s() -> None:
    uuid7(1_700_000_000_000_000)
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.write(writer, uuid7(1_700_000_000_000_000).encode())
        os._exit(0)
    assert os.read(reader, 36).decode() != uuid7(1_700_000_000_000_000)
    os.close(reader)
    os.close(writer)
    os.wait()
