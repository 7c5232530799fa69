"""The watch of a parent."""

from __future__ import annotations

import asyncio
import os

import pytest

from shared.parent import parent_ends


async def test_another_parent_is_noticed_at_once() -> None:
    await asyncio.wait_for(parent_ends(os.getpid()), 1)


async def test_end_of_the_parent_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = asyncio.create_task(parent_ends(os.getppid()))
    await asyncio.sleep(0)
    assert not waiting.done()
    monkeypatch.setattr(os, "getppid", lambda: 1)
    await asyncio.wait_for(waiting, 1)
