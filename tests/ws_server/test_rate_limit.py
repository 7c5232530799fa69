"""The message rate by itself, with a clock of its own: who is let through, what is told, and who ignores it."""

from __future__ import annotations

import heapq
import math
import random

import pytest

from ws_server.rate_limit import IGNORED_MAX, IGNORED_SECONDS, MessageRate

PER_SECOND = 200


def _told(wait: float) -> float:
    """As it is told: in milliseconds, never too few."""
    return math.ceil(wait * 1000) / 1000


def _after_the_burst(per_second: int = PER_SECOND, now: float = 0.0) -> MessageRate:
    rate = MessageRate(per_second, now)
    for _ in range(2 * per_second):
        assert rate.wait(now) == 0.0
    return rate


def test_a_burst_of_two_seconds_is_let_through_and_then_so_many_a_second() -> None:
    rate = _after_the_burst()
    assert rate.wait(0.0) == pytest.approx(1 / PER_SECOND)
    assert sum(rate.wait(1.0) == 0.0 for _ in range(PER_SECOND + 10)) == PER_SECOND


def test_without_a_limit_nothing_is_refused() -> None:
    rate = MessageRate(0, 0.0)
    assert not any(rate.wait(0.0) for _ in range(5000))
    for _ in range(5000):
        rate.count(0.0)
    assert not rate.is_ignored


def test_each_of_those_refused_together_has_a_time_of_its_own() -> None:
    rate = _after_the_burst()
    waits = [_told(rate.wait(0.0)) for _ in range(50)]
    assert waits == pytest.approx([number / PER_SECOND for number in range(1, 51)], abs=0.0011)
    assert all(rate.wait(wait) == 0.0 for wait in waits)


@pytest.mark.parametrize("writers", [1, 2, 7, 100, 900])
@pytest.mark.parametrize("per_second", [5, PER_SECOND])
def test_a_client_that_waits_for_retry_after_is_never_disconnected(writers: int, per_second: int) -> None:
    """Loops on one connection: each sends, waits for the answer, and as long as it was told where it is refused."""
    rate, chance = MessageRate(per_second, 0.0), random.Random(4)
    agenda = [(0.0, writer) for writer in range(writers)]
    carried_out = 0
    for _ in range(40_000):
        now, writer = heapq.heappop(agenda)
        wait = rate.wait(now)
        assert not rate.is_ignored, now
        carried_out += wait == 0.0
        heapq.heappush(agenda, (now + _told(wait) + chance.uniform(0.0002, 0.003), writer))
    now = agenda[0][0]
    assert carried_out > 0.7 * min(now * per_second, 40_000)


@pytest.mark.parametrize("gap", [0.0, 0.0001, 0.001])
def test_a_client_that_does_not_wait_is_disconnected(gap: float) -> None:
    rate = _after_the_burst()
    messages = 0
    while not rate.is_ignored:
        rate.wait(messages * gap)
        messages += 1
        assert messages < 3 * IGNORED_MAX
    assert messages >= IGNORED_MAX


def test_frames_whose_refusal_cannot_be_sent_count_too() -> None:
    rate = _after_the_burst()
    for _ in range(IGNORED_MAX + 1):
        rate.count(0.0)
    assert rate.is_ignored
    used_up = MessageRate(PER_SECOND, 0.0)
    for _ in range(2 * PER_SECOND):
        used_up.count(0.0)
    assert used_up.wait(0.0) > 0


def test_what_was_ignored_is_forgotten_after_ten_seconds() -> None:
    rate = _after_the_burst()
    for _ in range(IGNORED_MAX):  # the first of these ignores nothing
        rate.wait(0.0)
    later = IGNORED_SECONDS + 0.1
    while not rate.wait(later):
        pass
    for _ in range(IGNORED_MAX - 1):
        rate.wait(later)
    assert not rate.is_ignored, "one too few within ten seconds"
    while not rate.is_ignored:
        rate.wait(later)


def test_what_was_ignored_within_ten_seconds_adds_up() -> None:
    rate = _after_the_burst()
    for _ in range(IGNORED_MAX):
        rate.wait(0.0)
    soon = IGNORED_SECONDS - 0.1
    for _ in range(3 * PER_SECOND):
        rate.wait(soon)
    for _ in range(3 * PER_SECOND):
        rate.wait(soon)
    assert rate.is_ignored
