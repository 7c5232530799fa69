"""The change feed of processes on many hosts: each follows the users of its own listeners, by seq.

A commit of this process is handed on at once. Those of other processes come as hints over a carrier (a message broker, or
the database's notices), after their commit and off the way of their answer. A change whose seq is the next is handed on;
where one is missing, the user's log is read. Once a second the seqs of all followed users are compared with the database.
So a lost hint, or a carrier that is away, costs time, never a change.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Collection, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from typing import Any, Final

from shared.errors import Unavailable, UserGone
from shared.feed import FeedListener, Lag
from shared.feed.carrier import Carrier
from shared.feed.epoch_watch import watch_epoch
from shared.feed.notices import Followed, Step
from shared.feed.outages import Outage
from shared.feed.revocations import RevocationReader
from shared.feed.source import Source, SourceCommit
from shared.metrics.catalogue import FEED_HINTS
from shared.models import CHANGES_PAGE, Change

SWEEP_SECONDS: Final = 1.0
_SWEEP_PAUSE_SECONDS: Final = 0.1  # after a sweep, however many are asked for
_READS_AT_ONCE: Final = 4  # half of the connections that a process has
_ASKED_AT_ONCE: Final = (
    2000  # users, with one query: to send and to read it takes the loop a few milliseconds
)
_RETRY_SECONDS: Final = 0.2  # after a read that failed

log = logging.getLogger(__name__)
_hints = {step: FEED_HINTS.child(step.value) for step in Step}


class FanOut:
    """A ``shared.feed.ChangeFeed``. ``position``: of the newest revocation."""

    def __init__(self, source: Source, carrier: Carrier | None, position: int) -> None:
        self._source = source
        self._carrier = carrier
        self._listeners: list[FeedListener] = []
        self._followed: dict[int, Followed] = {}
        self._joining: dict[int, asyncio.Future[None]] = {}
        self._unsure: set[int] = set()  # followed users whose seqs are to be compared soon
        self._asked: frozenset[int] = frozenset()  # users whom somebody joins, and whose seqs are being read
        self._check_wanted = asyncio.Event()
        # In the order in which they fell behind; each is in here, or in the hands of one reader.
        self._behind: dict[int, None] = {}
        self._reading: set[int] = set()
        self._read_wanted = asyncio.Semaphore(0)
        self._sweep_wanted = asyncio.Event()
        self._outage = Outage(log, "cannot read the change log", "the change log can be read again")
        self._revocations = RevocationReader(source, carrier, position, self._listeners, self._outage)
        source.listen(self._on_commit)

    def subscribe(self, listener: FeedListener) -> None:
        self._listeners.append(listener)

    def look(self, user_id: int | None = None) -> None:
        if user_id is None:
            self._sweep_wanted.set()
        elif user_id in self._followed:
            self._read_soon(user_id)

    async def resume(self, user_id: int) -> None:
        if user_id in self._followed:
            return
        joined = self._joining.get(user_id)
        if joined is None:
            joined = self._joining[user_id] = asyncio.get_running_loop().create_future()
            self._check_wanted.set()
        # Shielded: another may wait for the same user.
        await asyncio.shield(joined)

    async def lag(self) -> Lag:
        """While the database cannot be read, nobody knows of how many changes; the seconds say so."""
        user_ids = self._behind.keys() | self._reading
        behind = [followed for user_id in user_ids if (followed := self._followed.get(user_id)) is not None]
        since = [followed.missing_since for followed in behind if followed.missing_since is not None]
        if self._followed and self._outage.since is not None:
            since.append(self._outage.since)
        return Lag(
            sum(followed.missing for followed in behind),
            time.monotonic() - min(since) if since else 0.0,
        )

    # What comes

    def _on_commit(self, commit: SourceCommit) -> None:
        if commit.changes:
            now = time.monotonic()
            self._hand_on(
                [
                    change
                    for change in commit.changes
                    if self._hear(change.user_id, change.seq, now) is Step.DELIVER
                ]
            )
            if self._carrier is not None:
                self._carrier.publish(commit.changes)
        if commit.others:  # perhaps a revocation
            self._revocations.look(may_be_own=True)

    def on_change(self, change: Change) -> None:
        """See ``shared.feed.carrier.HintListener``; so are the next three."""
        step = self._hear(change.user_id, change.seq, time.monotonic())
        if step is not None:
            _hints[step].value += 1
        if step is Step.DELIVER:
            self._hand_on([change])

    def on_seq(self, user_id: int, seq: int) -> None:
        step = self._hear(user_id, seq, time.monotonic(), has_change=False)
        if step is not None:
            _hints[step].value += 1

    def on_missed(self, user_ids: Iterable[int] | None) -> None:
        if user_ids is None:
            self._sweep_wanted.set()
            self._revocations.look()
        else:
            self._be_unsure(user_ids)

    def on_revocations(self) -> None:
        self._revocations.look()

    def _hear(self, user_id: int, seq: int, now: float, *, has_change: bool = True) -> Step | None:
        """``None``: nobody here listens for that user."""
        followed = self._followed.get(user_id)
        if followed is None:
            if user_id in self._asked:  # the seq that is being read may be the one before
                self._be_unsure((user_id,))
            return None
        step = followed.hear(seq, now, has_change=has_change)
        if step is Step.READ:
            self._read_soon(user_id)
        return step

    def _be_unsure(self, user_ids: Iterable[int]) -> None:
        self._unsure.update(user_ids)
        self._check_wanted.set()

    def _read_soon(self, user_id: int) -> None:
        if user_id not in self._behind:
            self._behind[user_id] = None
            if user_id not in self._reading:
                self._read_wanted.release()

    def _hand_on(self, changes: list[Change]) -> None:
        if changes:
            for listener in self._listeners:
                listener.on_changes(changes)

    # Who is followed

    async def check(self) -> None:
        """Begin to follow new users, and compare the seqs of unsure ones: many with one query, until cancelled."""
        joining: dict[int, asyncio.Future[None]] = {}
        try:
            while True:
                await self._check_wanted.wait()
                self._check_wanted.clear()
                joining = {
                    user_id: self._joining.pop(user_id) for user_id in _first(self._joining, _ASKED_AT_ONCE)
                }
                unsure = _first(self._unsure, _ASKED_AT_ONCE - len(joining))
                self._unsure.difference_update(unsure)
                if self._joining or self._unsure:
                    self._check_wanted.set()
                unsure = [user_id for user_id in unsure if user_id in self._followed]
                self._asked = frozenset(joining)
                if not joining and not unsure:
                    continue
                try:
                    seqs = await self._source.seqs({*unsure, *joining})
                except Unavailable as error:
                    self._outage.begin(error.reason)
                    _settle(joining.values(), error)  # the next sweep looks at the others
                    continue
                finally:
                    self._asked = frozenset()
                # A user who is missing is gone, which the caller finds out.
                new = [user_id for user_id in joining if user_id in seqs and user_id not in self._followed]
                for user_id in new:
                    self._followed[user_id] = Followed(seqs[user_id])
                self._compare({user_id: seqs[user_id] for user_id in unsure if user_id in seqs})
                if self._carrier is not None and new:
                    self._carrier.follow(new)
                _settle(joining.values(), None)
        finally:
            _settle((*joining.values(), *self._joining.values()), Unavailable("the change feed has ended"))

    def _compare(self, seqs: Mapping[int, int]) -> None:
        now = time.monotonic()
        for user_id, seq in seqs.items():
            self._hear(user_id, seq, now, has_change=False)

    def _leave(self, user_ids: list[int]) -> None:
        for user_id in user_ids:
            self._followed.pop(user_id, None)
            self._behind.pop(user_id, None)
        if self._carrier is not None and user_ids:
            self._carrier.unfollow(user_ids)

    async def sweep(self) -> None:
        """Compare the seqs of all followed users with the database's, every second, until cancelled.

        Raises:
            Unavailable: the database has lost changes that were handed on.
        """
        while True:
            try:
                async with asyncio.timeout(SWEEP_SECONDS - _SWEEP_PAUSE_SECONDS):
                    await self._sweep_wanted.wait()
            except TimeoutError:
                pass
            self._sweep_wanted.clear()
            self._revocations.look()
            every = list(self._followed)
            for start in range(0, len(every), _ASKED_AT_ONCE):
                followed = self._still_wanted(every[start : start + _ASKED_AT_ONCE])
                last = {user_id: each.last for user_id, each in followed.items()}
                try:
                    seqs = await self._source.seqs(followed.keys()) if followed else {}
                except Unavailable as error:
                    self._outage.begin(error.reason)
                    break
                for user_id, seq in seqs.items():
                    if seq < last[user_id]:
                        raise Unavailable(
                            f"the database has lost changes, as after a failover: user {user_id} was at {last[user_id]}, "
                            f"and is at {seq}; run taskbeam new-epoch"
                        )
                gone = followed.keys() - seqs.keys()
                self._leave([user_id for user_id in gone if self._followed.get(user_id) is followed[user_id]])
                self._compare(seqs)
            await asyncio.sleep(_SWEEP_PAUSE_SECONDS)

    def _still_wanted(self, user_ids: Sequence[int]) -> dict[int, Followed]:
        """Those whom a listener wants; the others are left."""
        wanted = [listener.users() for listener in self._listeners]
        self._leave([user_id for user_id in user_ids if not any(user_id in users for users in wanted)])
        return {user_id: self._followed[user_id] for user_id in user_ids if user_id in self._followed}

    # The log

    async def read(self) -> None:
        """Read the logs of users of whom changes are missing, until cancelled; several run at once."""
        while True:
            await self._read_wanted.acquire()
            user_id = next((user_id for user_id in self._behind if user_id not in self._reading), None)
            if user_id is None:
                continue
            del self._behind[user_id]
            self._reading.add(user_id)
            try:
                await self._read_log(user_id)
                self._outage.end()
            except Unavailable as error:
                self._outage.begin(error.reason)
                if user_id in self._followed:
                    self._behind[user_id] = None
                await asyncio.sleep(_RETRY_SECONDS)
            finally:
                self._reading.discard(user_id)
                if user_id in self._behind:
                    self._read_wanted.release()

    async def _read_log(self, user_id: int) -> None:
        """Hand on what the log has after the last change. Raises Unavailable."""
        more = True
        while more and (followed := self._followed.get(user_id)) is not None:
            try:
                page = await self._source.changes(user_id, self._source.epoch, followed.last, CHANGES_PAGE)
            except UserGone:
                if self._followed.get(user_id) is followed:
                    self._leave([user_id])
                return
            if self._followed.get(user_id) is not followed:
                return  # nobody listened for a while, and now somebody does
            now = time.monotonic()
            if page.reason is not None:
                # The streams find the gap before the newest change, and their clients resume.
                log.error("the log of user %d has not what follows change %d", user_id, followed.last)
                followed.restart(page.seq)
                more = followed.missing > 0
                continue
            # What was committed here, or came as a hint, may have been handed on meanwhile.
            self._hand_on(
                [change for change in page.changes if followed.hear(change.seq, now) is Step.DELIVER]
            )
            more = page.more

    def parts(self) -> list[Coroutine[Any, Any, None]]:
        """What runs as long as the feed does, each as one supervised task."""
        parts = [self.check(), self.sweep(), self._revocations.run()]
        parts += [self.read() for _ in range(_READS_AT_ONCE)]
        if self._carrier is not None:
            parts.append(self._carrier.run(self))
        return parts


def _first(user_ids: Collection[int], count: int) -> list[int]:
    return list(islice(user_ids, count))


def _settle(futures: Iterable[asyncio.Future[None]], error: Unavailable | None) -> None:
    for future in futures:
        if future.done():
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
            future.exception()  # that nobody waits for it any more is no defect


@asynccontextmanager
async def open_fan_out(source: Source, carrier: Carrier | None = None) -> AsyncIterator[FanOut]:
    """A feed of the changes from now on. Where a part of it fails, the body is cancelled. Raises Unavailable."""
    feed = FanOut(source, carrier, (await source.revocations(None))[1])
    async with asyncio.TaskGroup() as tasks:
        parts = [tasks.create_task(part) for part in (*feed.parts(), watch_epoch(source))]
        try:
            yield feed
        finally:
            for part in parts:
                part.cancel()
