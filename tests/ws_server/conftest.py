"""Both event loops, for tests that serve sockets in their own process."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from tests.ws_server.open_sockets import Run


@pytest.fixture(params=["uvloop", "asyncio"])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a test on each event loop that the server may have."""

    def on_loop(test: Coroutine[Any, Any, None]) -> None:
        factory = pytest.importorskip("uvloop").new_event_loop if request.param == "uvloop" else None
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(test)

    return on_loop
