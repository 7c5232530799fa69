"""How many warnings are logged that clients cause."""

from __future__ import annotations

import logging

import pytest

from shared.log_limits import KeyedLimitedLogger


def test_keys_that_clients_choose_are_limited(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("shared.log_limits.time.monotonic", lambda: now)
    limited = KeyedLimitedLogger(logging.getLogger("test"))
    for number in range(1000):
        limited.warning(f"key {number}", "%d", number)
    assert len(caplog.records) == 20
    now = 61.0
    limited.warning("key 0", "again")
    limited.warning("key 2000", "new")
    assert caplog.records[-1].getMessage() == "new"
    assert len(caplog.records) == 21
    now = 3601.0
    limited.warning("key 0", "again")
    assert caplog.records[-1].getMessage() == "again"
    for number in range(1000):
        now += 60
        limited.warning(f"other {number}", "x")
    assert len(limited._logged) == 100
