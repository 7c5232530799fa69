"""Polling for a condition, with a deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

_PAUSE: Final = 0.02

Condition = Callable[[], object]


def wait_until(condition: Condition, timeout: float, what: str) -> None:
    """Return when the condition is true; AssertionError that names ``what`` after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, _late(timeout, what)
        time.sleep(_PAUSE)


async def until(condition: Condition, timeout: float, what: str) -> None:
    """Like `wait_until`, without blocking the event loop."""
    try:
        async with asyncio.timeout(timeout):
            while not condition():  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(_PAUSE)
    except TimeoutError:
        raise AssertionError(_late(timeout, what)) from None


def wait_for_second(second: int) -> None:
    """Return when Unix time has reached ``second``: tokens and their grace period count in whole seconds."""
    wait_until(lambda: time.time() >= second, max(second - time.time(), 0) + 1, f"the second {second}")


def _late(timeout: float, what: str) -> str:
    return f"{what}: not within {timeout:g} s"
