"""The rules of the keep-alive: who is given up, and after how many looks."""

from __future__ import annotations

from ws_server.keep_alive import Ping

PING = 2
MIB = 1 << 20


def _looks(ping: Ping, taken: int) -> int:
    """How many looks that find this it takes until the peer is given up."""
    for number in range(1, 100):
        if not ping.check(taken):
            return number
    raise AssertionError("never given up")


def test_a_ping_that_nothing_kept_back_has_one_period_to_be_answered() -> None:
    assert _looks(Ping(PING, PING, 0), PING) == 1


def test_bytes_that_were_taken_after_the_ping_are_no_answer() -> None:
    assert not Ping(PING, PING, 0).check(PING + 1000)


def test_while_bytes_leave_a_ping_behind_them_may_wait() -> None:
    ping = Ping(20 * MIB, 1000, 0)
    for taken in range(2000, 100_000, 1):
        assert ping.check(taken)


def test_a_peer_that_takes_nothing_is_given_up_at_the_second_look() -> None:
    assert _looks(Ping(20 * MIB, 1000, 0), 1000) == 2
    ping = Ping(20 * MIB, 1000, 0)
    assert ping.check(5000)
    assert _looks(ping, 5000) == 2


def test_the_clock_runs_from_when_the_ping_has_left() -> None:
    ping = Ping(100_000, 1000, 90_000)
    assert ping.check(100_000)
    assert not ping.check(100_000)


def test_much_that_went_before_may_be_on_its_way_still() -> None:
    """Networks and proxies hold back what has left us: a longer time for the answer, and yet bounded."""
    assert _looks(Ping(3 * MIB + PING, 3 * MIB + PING, 0), 3 * MIB + PING) == 4
    assert _looks(Ping(3 * MIB + PING, 3 * MIB + PING, 3 * MIB), 3 * MIB + PING) == 1
    assert _looks(Ping(3000 * MIB, 3000 * MIB, 0), 3000 * MIB) == 6
