"""Attempts within a minute, in bounded memory, and forgotten after it."""

from __future__ import annotations

import sys

import pytest

from shared.auth import throttle as module
from shared.auth.throttle import Throttle
from shared.errors import Throttled


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _is_locked(throttle: Throttle, key: str) -> float | None:
    """For how many seconds."""
    try:
        throttle.refuse_if_full(key)
    except Throttled as throttled:
        with pytest.raises(Throttled):
            throttle.attempt(key)
        return throttled.retry_after
    return None


def test_so_many_attempts_a_minute_and_no_more(clock: Clock) -> None:
    throttle = Throttle(3, clock)
    for _ in range(3):
        assert _is_locked(throttle, "a") is None
        throttle.attempt("a")
        clock.seconds += 10
    assert _is_locked(throttle, "a") == 30
    assert _is_locked(throttle, "b") is None
    clock.seconds += 30
    assert _is_locked(throttle, "a") is None
    for _ in range(3):
        throttle.attempt("a")
    assert _is_locked(throttle, "a") == 60


def test_what_is_forgiven_does_not_count(clock: Clock) -> None:
    throttle = Throttle(2, clock)
    for _ in range(10):
        throttle.forgive(throttle.attempt("a"))
    assert len(throttle) == 0
    throttle.attempt("a")
    throttle.forgive(throttle.attempt("a"))
    throttle.attempt("a")
    assert _is_locked(throttle, "a")


def test_what_is_forgiven_after_its_minute_is_not_taken_from_the_next(clock: Clock) -> None:
    throttle = Throttle(1, clock)
    first = throttle.attempt("a")
    clock.seconds += 60
    throttle.attempt("a")
    throttle.forgive(first)
    assert _is_locked(throttle, "a")


def test_no_limit_counts_nothing(clock: Clock) -> None:
    throttle = Throttle(0, clock)
    for number in range(100):
        throttle.attempt(f"{number % 3}")
    assert _is_locked(throttle, "0") is None
    assert len(throttle) == 0


def test_keys_go_after_their_minute(clock: Clock) -> None:
    throttle = Throttle(5, clock)
    for number in range(5000):
        throttle.attempt(f"{number}")
    clock.seconds += 60
    for number in range(60):
        throttle.attempt(f"new {number}")
    assert len(throttle) == 60


def test_a_key_of_a_minute_ago_is_free_even_where_many_are_waiting_to_be_forgotten(clock: Clock) -> None:
    throttle = Throttle(1, clock)
    for number in range(5000):
        throttle.attempt(f"{number}")
    clock.seconds += 60
    assert _is_locked(throttle, "4999") is None
    throttle.attempt("4999")
    assert _is_locked(throttle, "4999") == 60


def test_the_number_of_keys_and_their_size_are_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEYS_MAX", 10)
    throttle = Throttle(1, clock)
    for number in range(100):
        throttle.attempt("x" * 100_000 + f"{number}")
    assert len(throttle) == 10
    assert all(sys.getsizeof(key) < 100 for key in throttle._windows)
    assert _is_locked(throttle, "x" * 100_000 + "99")
    assert _is_locked(throttle, "x" * 100_000 + "0") is None


def test_any_text_can_be_a_key(clock: Clock) -> None:
    throttle = Throttle(1, clock)
    for key in ("", "\0", "\ud800", "é", "e\u0301"):
        throttle.attempt(key)
        assert _is_locked(throttle, key)
