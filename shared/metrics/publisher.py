"""Publishes the numbers of this process once a second, and answers for all processes of the database."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from shared.errors import Unavailable
from shared.feed import ChangeFeed, Lag
from shared.logs import dropped_lines
from shared.metrics.catalogue import (
    CHANGE_LOG_CHANGES,
    DATABASE_LOG_BYTES,
    EVENT_LOOP_LAG_SECONDS,
    FAMILIES,
    FEED_LAG_CHANGES,
    FEED_LAG_SECONDS,
    LOG_LINES_DROPPED,
    MEMORY_BYTES,
)
from shared.metrics.families import Snapshot, resume, take_snapshot
from shared.metrics.slots import Slot, take_slot

_SLEEP_SECONDS: Final = 0.25  # between two looks at the lag of the loop
_SLEEPS_PER_PUBLICATION: Final = 4
_COUNT_SECONDS: Final = 60.0  # between two counts of the change log
_LAGS_KEPT: Final = 60  # 15 seconds, as far apart as most are who scrape

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""Of ``Publisher.text``."""

log = logging.getLogger(__name__)


class Publisher:
    """The metrics of this process, which holds a slot in ``folder``; without one it answers for itself alone."""

    def __init__(self, folder: Path, process: str, feed: ChangeFeed, database_log: Path) -> None:
        self._folder = folder
        self._process = process
        slot = self._slot = self._take_first_slot()
        self._name = slot.name if slot is not None else process
        self._feed = feed
        self._lags = deque((0.0,), _LAGS_KEPT)
        self._feed_lag = Lag(0, 0.0)
        self._dropped = 0
        self._changes = 0
        EVENT_LOOP_LAG_SECONDS.read = lambda: max(self._lags)
        FEED_LAG_CHANGES.read = lambda: self._feed_lag.changes
        FEED_LAG_SECONDS.read = lambda: self._feed_lag.seconds
        MEMORY_BYTES.read = _resident_bytes
        DATABASE_LOG_BYTES.read = lambda: _size(database_log)

    async def run(self) -> None:
        """Publish until cancelled; run it as one supervised task."""
        while True:
            for _ in range(_SLEEPS_PER_PUBLICATION):
                before = time.monotonic()
                await asyncio.sleep(_SLEEP_SECONDS)
                self._lags.append(max(0.0, time.monotonic() - before - _SLEEP_SECONDS))
            with suppress(Unavailable):  # the feed says so itself
                self._feed_lag = await self._feed.lag()
            await self._publish()

    async def count_changes(self, count: Callable[[], Awaitable[int]]) -> None:
        """Keep the number of changes in the log up to date until cancelled; run it as one supervised task.

        Not within ``run``, since it may wait behind long lists.
        """
        while True:
            with suppress(Unavailable):  # the number stays an older one
                self._changes = await count()
                CHANGE_LOG_CHANGES.read = lambda: self._changes
            await asyncio.sleep(_COUNT_SECONDS)

    async def text(self) -> bytes:
        """All metrics of all processes, in Prometheus' text format."""
        return await asyncio.to_thread(self._text, self._snapshot())

    def _snapshot(self) -> Snapshot:
        dropped = dropped_lines()
        LOG_LINES_DROPPED.child().value += dropped - self._dropped
        self._dropped = dropped
        return take_snapshot(FAMILIES)

    async def _publish(self) -> None:
        if self._slot is not None:
            data = msgspec.json.encode(self._snapshot())
            with suppress(OSError):  # a full disk: others see older numbers
                await asyncio.to_thread(self._write, data)

    def close(self) -> None:
        """Publish for the last time."""
        if self._slot is not None:
            with suppress(OSError):
                self._slot.write(msgspec.json.encode(take_snapshot(FAMILIES)))
            self._slot.close()

    def _take_first_slot(self) -> Slot | None:
        """With the numbers of a process that held it before."""
        try:
            slot = take_slot(self._folder, self._process)
        except OSError as error:
            log.warning("metrics are of this process alone: %s", error)
            return None
        before = _decoded(slot.read() or b"")
        if before is not None:
            resume(FAMILIES, before)
        return slot

    def _write(self, data: bytes) -> None:
        """Into another slot where somebody has deleted the folder. Raises OSError."""
        slot = self._slot
        assert slot is not None
        if not slot.is_there():
            deleted, slot = slot, take_slot(self._folder, self._process)
            self._slot, self._name = slot, slot.name
            deleted.close()
            log.warning("%s was deleted, and is made anew", self._folder)
        slot.write(data)

    def _text(self, own: Snapshot) -> bytes:
        from shared.metrics.exposition import exposition  # here: prometheus_client takes a tenth of a start

        snapshots = {self._name: own}
        if self._slot is not None:
            try:
                for name, data, is_held in self._slot.others():
                    other = _decoded(data)
                    if other is not None:
                        snapshots[name] = other if is_held else Snapshot(other.counters, other.histograms, {})
            except OSError as error:
                log.warning("the metrics of the other processes cannot be read: %s", error)
        return exposition(snapshots)


@contextmanager
def open_publisher(folder: Path, process: str, feed: ChangeFeed, database_log: Path) -> Iterator[Publisher]:
    """Publish in the folder for a process of that name; the last time on exit."""
    publisher = Publisher(folder, process, feed, database_log)
    try:
        yield publisher
    finally:
        publisher.close()


def _decoded(data: bytes) -> Snapshot | None:
    try:
        return msgspec.json.decode(data, type=Snapshot)
    except msgspec.DecodeError:  # of another version
        return None


def _resident_bytes() -> float:
    try:
        return float(int(Path("/proc/self/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
    except OSError:  # not on Linux
        return 0.0


def _size(path: Path) -> float:
    try:
        return float(path.stat().st_size)
    except OSError:
        return 0.0
