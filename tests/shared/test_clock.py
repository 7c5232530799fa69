"""Timestamps whose text order is time order, and the system clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import parse_timestamp, system_clock, timestamp

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


@given(instants)
def test_timestamp_is_read_back(instant: int) -> None:
    assert parse_timestamp(timestamp(instant)) == instant


def test_time_of_another_offset_is_read_and_one_without_is_refused() -> None:
    assert parse_timestamp("1970-01-01T01:00:00+01:00") == 0
    with pytest.raises(ValueError, match="offset"):
        parse_timestamp("1970-01-01T01:00:00")


@given(instants, instants)
def test_text_order_is_time_order(first: int, second: int) -> None:
    assert (timestamp(first) < timestamp(second)) == (first < second)


def test_clock_is_now_in_microseconds() -> None:
    before = datetime.now(UTC)
    now = EPOCH + timedelta(microseconds=system_clock())
    assert before - timedelta(milliseconds=1) <= now <= datetime.now(UTC) + timedelta(milliseconds=1)
