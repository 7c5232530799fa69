"""Group commit: work that waits at the same time is carried out together, and each caller gets its own outcome.

A transaction, and the way to a database and back, cost far more than one more row. So callers share them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Generic, TypeVar

from shared.errors import Unavailable

W = TypeVar("W")
Outcome = Any | BaseException
"""What a piece of work returned, or the error that it raised."""

GROUP_MAX: Final = 256  # bounds how long the first of a group waits for the last
_WAITING_MAX: Final = 10_000
_LINGER_SECONDS: Final = 0.0002  # for each client: above what an answer and the next request take the loop
_LINGER_TURNS: Final = 3  # of the loop: as many as aiohttp takes from a request's bytes to the work


class Batcher(Generic[W]):
    """A bounded queue of work, carried out group after group.

    Args:
        run: carries out a group, and returns one outcome for each piece, in order. Should it raise, ``serve`` raises the
            same, and all callers get Unavailable.
        linger: whether a group costs enough to wait for its clients, see ``_linger``.
        observe: is told how large each group was, and how many seconds it took.
    """

    def __init__(
        self,
        run: Callable[[Sequence[W]], Awaitable[Sequence[Outcome]]],
        *,
        linger: bool = False,
        observe: Callable[[int, float], None] | None = None,
    ) -> None:
        self._run = run
        self._observe = observe
        self._lingers = linger
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[W, asyncio.Future[Any]]] = deque()
        self._group: list[tuple[W, asyncio.Future[Any]]] = []  # in hand
        self._wanted = asyncio.Event()
        self._closing = False

    def submit(self, work: W) -> asyncio.Future[Any]:
        """Have the work carried out; the future has its outcome.

        A caller that is cancelled while it waits learns nothing: the work is done whole or not at all.

        Raises:
            Unavailable: too much is waiting, or the batcher was closed. As the future's error: the database cannot be
                used now.
        """
        if self._closing or len(self._waiting) >= _WAITING_MAX:
            raise Unavailable("closing" if self._closing else "too much work is waiting for the database")
        future: asyncio.Future[Any] = self._loop.create_future()
        self._waiting.append((work, future))
        self._wanted.set()
        return future

    async def serve(self) -> None:
        """Carry out what waits, until ``close``; to be run as one supervised task.

        However it ends, nobody is left waiting.
        """
        try:
            await self._serve()
        finally:
            self._closing = True
            for _, future in (*self._group, *self._waiting):
                if not future.done():
                    future.set_exception(Unavailable("the store was closed"))

    async def _serve(self) -> None:
        while not (self._closing and not self._waiting):
            await self._wanted.wait()
            self._wanted.clear()
            while group := self._next_group():
                self._group = group
                await self._carry_out(group)
                if self._lingers and len(self._waiting) < len(group) / 2:
                    await self._linger(len(group))

    async def _linger(self, answered: int) -> None:
        """Wait until as many have come as were answered, or a few turns of the loop bring nobody, or it takes too long.

        After a large commit its clients ask again at once. A group started now would hold only the few that came
        meanwhile, and two groups would alternate for ever, each for the price of one. So wait briefly. (Kafka's
        ``linger.ms``, bounded by the number of clients instead of set by hand.)
        """
        quiet = 0
        enough, deadline = len(self._waiting) + answered, self._loop.time() + answered * _LINGER_SECONDS
        while quiet < _LINGER_TURNS and len(self._waiting) < enough and self._loop.time() < deadline:
            before = len(self._waiting)
            await asyncio.sleep(0)
            quiet = 0 if len(self._waiting) > before else quiet + 1

    def close(self) -> None:
        """Refuse new work; ``serve`` returns when what waits is done."""
        self._closing = True
        self._wanted.set()

    def _next_group(self) -> list[tuple[W, asyncio.Future[Any]]]:
        group: list[tuple[W, asyncio.Future[Any]]] = []
        while self._waiting and len(group) < GROUP_MAX:
            work, future = self._waiting.popleft()
            if not future.done():  # its caller was cancelled before the work began
                group.append((work, future))
        return group

    async def _carry_out(self, group: list[tuple[W, asyncio.Future[Any]]]) -> None:
        started = self._loop.time()
        outcomes = await self._run([work for work, _ in group])
        if self._observe is not None:
            self._observe(len(group), self._loop.time() - started)
        if all(isinstance(outcome, Unavailable) for outcome in outcomes):
            # What has come meanwhile would wait as long for the same answer.
            waiting, self._waiting = self._waiting, deque()
            group = self._group = [*group, *waiting]
            outcomes = [*outcomes, *[outcomes[0]] * len(waiting)]
        settle(group, outcomes)


def settle(group: Sequence[tuple[object, asyncio.Future[Any]]], outcomes: Sequence[Outcome]) -> None:
    """Give each caller its outcome; a caller that was cancelled has no use for it."""
    for (_, future), outcome in zip(group, outcomes, strict=True):
        if future.done():
            continue
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
