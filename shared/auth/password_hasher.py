"""Passwords hashed and checked off the event loop, in a bounded pool of threads that is shared fairly."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from shared.auth.fair_semaphore import FairSemaphore, Requester
from shared.auth.hash_forms import HashCosts
from shared.auth.password_hashes import check_password_padded, greatest_work, hash_password, is_current
from shared.errors import Unavailable

T = TypeVar("T")

_WAITING_PER_WORKER: Final = 50  # at a quarter of a second each, the last one waits about 12 s
_NICENESS: Final = 10  # a hash is never urgent; a socket's answer must not wait for one
_DELAY_MAX: Final = 2.0  # seconds that a mismatch is delayed for dearer hashes


def _lower_priority() -> None:
    if hasattr(os, "setpriority"):
        os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)  # on Linux: of this thread alone


class PasswordHasher:
    """Hashes and checks passwords on threads.

    Args:
        cost: bcrypt's, of the hashes that it makes.
        workers: threads; bcrypt releases the interpreter's lock, so each can use a core.
    """

    def __init__(self, cost: int, workers: int | None = None) -> None:
        workers = workers or os.cpu_count() or 1
        self._cost = cost
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="password", initializer=_lower_priority)
        self._semaphore = FairSemaphore(workers, workers * _WAITING_PER_WORKER)

    def is_current(self, encoded: str) -> bool:
        """Whether a hash is of the form and cost that ``hash`` makes."""
        return is_current(encoded, self._cost)

    async def hash(self, password: str, requester: Requester) -> str:
        """Raises Unavailable when too many are waiting."""
        return await self._run(requester, None, lambda: hash_password(password, self._cost))

    async def check(
        self,
        password: str,
        encoded: str | None,
        requester: Requester,
        admit: Callable[[], Awaitable[None]],
        dearest: HashCosts,
    ) -> bool:
        """Whether it matches. A mismatch takes the same time for every ``encoded`` and for ``None`` (no such user).

        Args:
            admit: awaited when the check's turn comes; what it raises is raised here.
            dearest: the greatest costs among the stored hashes. A mismatch takes as long as a check of these.

        Raises:
            Unavailable: too many are waiting, or there is not the memory that the hash takes.
        """

        def work() -> tuple[bool, float]:
            started = time.perf_counter()
            matches, done = check_password_padded(password, encoded, self._cost)
            seconds = time.perf_counter() - started
            return matches, seconds * (greatest_work(dearest) / done - 1)

        matches, delay = await self._run(requester, admit, work)
        if not matches and delay > 0:
            await asyncio.sleep(min(delay, _DELAY_MAX))
        return matches

    async def _run(
        self, requester: Requester, admit: Callable[[], Awaitable[None]] | None, work: Callable[[], T]
    ) -> T:
        await self._semaphore.acquire(requester)
        try:
            if admit is not None:
                await admit()
            running = asyncio.wrap_future(self._pool.submit(work))
        except BaseException:
            self._semaphore.release()
            raise
        running.add_done_callback(lambda _: self._semaphore.release())
        try:
            return await asyncio.shield(running)  # a cancelled caller does not stop the thread
        except MemoryError as error:
            raise Unavailable("not enough memory to check a password") from error

    def refuse_waiting(self) -> None:
        """Finish only what is running: what waits would hold up the end of the process for many seconds."""
        self._semaphore.close()

    def close(self) -> None:
        """Drop what waits and stop the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)
