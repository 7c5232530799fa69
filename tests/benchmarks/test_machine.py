"""What others take of the machine while a case is measured."""

from __future__ import annotations

import pytest

from benchmarks.machine import others_share

SPENT = {"user": 30.0, "system": 10.0, "nice": 5.0, "softirq": 4.0, "idle": 50.0, "steal": 1.0}


@pytest.mark.parametrize(
    ("own", "share"),
    [(45.0, 0.01), (30.0, 0.16), (46.0, 0.01)],
    ids=["alone, but for another virtual machine", "beside others", "clocks differ a little"],
)
def test_share_of_others(own: float, share: float) -> None:
    assert others_share(SPENT, own) == pytest.approx(share)


def test_no_time_has_passed() -> None:
    assert others_share(dict.fromkeys(SPENT, 0.0), 0.0) == 0
