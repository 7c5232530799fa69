"""Event streams and long polls count among a user's connections."""

from __future__ import annotations

from contextlib import ExitStack

from tests.support.clients import Account, Answer, new_account
from tests.support.event_stream import event_stream
from tests.support.processes import System
from tests.support.waiting import wait_until


def _poll(account: Account, wait: int) -> Answer:
    epoch = account.rest("GET", "/").headers["X-Taskbeam-Epoch"]
    return account.rest("GET", f"/changes/?epoch={epoch}&since=0&wait={wait}")


def test_one_above_the_limit_is_throttled_and_others_are_not(low_limits_system: System) -> None:
    account = new_account(low_limits_system)
    with ExitStack() as streams:
        for _ in range(2):
            streams.enter_context(event_stream(low_limits_system, account))
        for answer in (_poll(account, 1), account.rest("GET", "/events/")):
            wait = answer.headers["Retry-After"]
            assert (answer.status, answer.body) == (
                429,
                {"detail": f"Request was throttled. Expected available in {wait} seconds."},
            )
            assert int(wait) > 0
        assert _poll(account, 0).status == 200, "an answer at once is no wait"
        with event_stream(low_limits_system, new_account(low_limits_system)):
            pass
    wait_until(lambda: _poll(account, 1).status == 200, 20, "the streams that ended count no more")
