"""What is held against the answers of ``/readyz``: an answer that is not true is found."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import pytest

from tests.cluster.readiness import BACK_SECONDS, Probe, Readiness
from tests.support.processes import System

_SECONDS: Final = 0.01


@pytest.mark.parametrize(
    ("status", "after", "is_true"),
    [
        (503, 0.5, True),
        (200, 0.5, False),
        (0, 0.5, False),
        (200, -1, True),
        (503, -1, False),
        (503, 1 + BACK_SECONDS / 2, True),
        (200, 1 + BACK_SECONDS / 2, True),
        (503, 2 + BACK_SECONDS, False),
        (0, 2 + BACK_SECONDS, False),
    ],
)
@pytest.mark.parametrize("is_concerned", [True, False])
def test_an_answer_that_is_not_true_is_found(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    after: float,
    is_true: bool,
    is_concerned: bool,
) -> None:
    """``after``: the outage's begin. It lasts one second."""
    systems = [System(tmp_path), System(tmp_path)]
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    readiness = Readiness()
    with readiness.outage(systems[:1]) as outage:
        outage.has_begun()
        now += 1
        outage.is_about_to_end()
    process = systems[0 if is_concerned else 1].gateway
    readiness.probes.append(Probe(process, 100 + after, 100 + after + _SECONDS, status))
    if not is_concerned:
        is_true = status == 200
    if is_true:
        readiness.check()
    else:
        with pytest.raises(AssertionError, match=f"said {status}"):
            readiness.check()
