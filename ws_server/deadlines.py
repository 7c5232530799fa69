"""The deadlines of all sockets of a process, on one timer.

Every socket waits for something: for its handshake, its authentication, the end of its token. A timer of the
loop's for each would cost more memory than the rest of an idle socket's state.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Callable
from typing import Final

_GRAIN: Final = 0.001  # a loop's clock may count in milliseconds
_AT_ONCE: Final = 100  # calls, before it is the sockets' turn
_CANCELLED_MIN: Final = 1000

log = logging.getLogger(__name__)


class Deadline:
    """A time, as ``loop.time()``, and what is called then; ``None`` once it was called or cancelled."""

    __slots__ = ("call", "when")

    def __init__(self, when: float, call: Callable[[], object]) -> None:
        self.when = when
        self.call: Callable[[], object] | None = call

    def __lt__(self, other: Deadline) -> bool:
        return self.when < other.when


class Deadlines:
    """What is cancelled stays in the heap until its time, or until there is more of it than of the rest."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._heap: list[Deadline] = []
        self._cancelled = 0
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """How many are kept, cancelled ones among them."""
        return len(self._heap)

    def set(self, when: float, call: Callable[[], object]) -> Deadline:
        """Have something called at ``when``, in the loop's time."""
        deadline = Deadline(when, call)
        heapq.heappush(self._heap, deadline)
        if self._heap[0] is deadline:
            self._set_timer()
        return deadline

    def after(self, seconds: float, call: Callable[[], object]) -> Deadline:
        return self.set(self._loop.time() + seconds, call)

    def cancel(self, deadline: Deadline | None) -> None:
        """Does nothing where there is none, or it has passed."""
        if deadline is None or deadline.call is None:
            return
        deadline.call = None
        self._cancelled += 1
        if self._cancelled > max(_CANCELLED_MIN, len(self._heap) // 2):
            self._heap = [kept for kept in self._heap if kept.call is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._heap[0].when, self._ring) if self._heap else None

    def _ring(self) -> None:
        now = self._loop.time() + _GRAIN
        for _ in range(_AT_ONCE):
            if not self._heap or self._heap[0].when > now:
                break
            deadline = heapq.heappop(self._heap)
            call, deadline.call = deadline.call, None
            if call is None:
                self._cancelled -= 1
                continue
            try:
                call()
            except Exception:
                log.exception("what was to be done at a deadline failed")
        self._set_timer()
