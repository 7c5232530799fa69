"""What the client knows, and what each frame of the server makes of it. No I/O, nothing waits."""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, replace

from taskbeam_client.connection import Frame
from taskbeam_client.errors import TaskbeamClientError
from taskbeam_client.listing import Listing
from taskbeam_client.models import Change, Event, History, Snapshot, Task
from taskbeam_client.preview import Preview
from taskbeam_client.replica import Replica
from taskbeam_client.stream import ChangeStream
from taskbeam_client.write_queue import WriteQueue

log = logging.getLogger("taskbeam_client")

_CHANGES = frozenset({"create", "update", "delete"})


@dataclass
class Statistics:
    """What has happened so far.

    Attributes:
        connections: how often the client was connected.
        syncs: how often it asked for the changes that it had missed.
        snapshots: how often it read the whole list.
        gaps: changes that came too early, which the server rules out.
        duplicates: changes that came twice, which it rules out, too.
    """

    connections: int = 0
    syncs: int = 0
    snapshots: int = 0
    gaps: int = 0
    duplicates: int = 0


class State:
    """The copy, the writes that wait, those who watch.

    Attributes:
        behind: the copy is not up to date: ``missing_request()`` asks for what it lacks.
        listing: a list that is being got, for a copy that does not exist yet, or whose history is gone. The changes that
            come meanwhile are its.
        news: there is something to do: writes wait, or the copy is behind.
        expires_in: the server has said that the token ends in so many seconds; ``expiring`` is set then.
    """

    def __init__(self, queue_limit: int) -> None:
        self.replica = Replica()
        self.listing: Listing | None = None
        self.queue = WriteQueue(queue_limit)
        self.statistics = Statistics()
        self.behind = True
        self.news = asyncio.Event()
        self.expires_in = 0.0
        self.expiring = asyncio.Event()
        self._history = History("", 0)  # the server's, of the connection that there is
        self._writer: int | None = None  # the user whose writes wait
        self._preview: tuple[Mapping[str, Task], int, Preview] | None = None
        self._streams: weakref.WeakSet[ChangeStream] = weakref.WeakSet()

    def on_frame(self, frame: Frame) -> None:
        """Called with every frame, in the order of the stream."""
        kind, mode = frame.get("type"), frame.get("mode")
        if kind == "task.update" and mode in _CHANGES and "seq" in frame:
            self._on_change(Change.from_json(frame))
        elif kind == "task.update" and mode == "all":
            self._on_page(frame)
        elif kind == "sync":
            self._on_sync(frame)
        elif kind == "auth":
            self._on_auth(History(frame["epoch"], frame["user_id"]), frame["seq"])
        elif kind == "auth.expiring":
            self.expires_in = float(frame["in"])
            self.expiring.set()

    def _on_auth(self, history: History, seq: int) -> None:
        self._history = history
        if self._writer is None:
            self._writer = history.user_id
        if self.listing is not None and self.listing.history != history:
            self.listing = None
        if self.listing is not None:
            self.listing.missing = self.listing.seq not in (None, seq)
        elif self.replica.history == history:
            self.behind = self.replica.seq != seq
        else:
            self._start_listing()

    def _start_listing(self) -> None:
        self.listing = Listing(self._history)
        self.behind = True

    def missing_request(self) -> Frame:
        """The message that asks for the next part of what the copy lacks."""
        if self.listing is None and self.replica.history is None:
            self._start_listing()
        if self.listing is None:
            since = self.replica.seq
        elif self.listing.missing and self.listing.seq is not None:
            since = self.listing.seq
        else:
            return self.listing.request()
        self.statistics.syncs += 1
        return {"mode": "sync", "epoch": self._history.epoch, "since": since}

    def _on_change(self, change: Change) -> None:
        if self.listing is not None:
            self._on_change_of_listing(self.listing, change)
        elif self.replica.history != self._history:
            return
        elif change.seq == self.replica.seq + 1:
            self._take(change)
        elif change.seq <= self.replica.seq:
            self.statistics.duplicates += 1
        elif not self.behind:  # else the sync that is under way will bring it
            self.statistics.gaps += 1
            self.fall_behind()

    def _on_change_of_listing(self, listing: Listing, change: Change) -> None:
        if listing.seq is None or listing.missing:  # the page or the sync that is under way will bring it
            return
        if change.seq == listing.seq + 1:
            listing.apply(change)
        elif change.seq <= listing.seq:
            self.statistics.duplicates += 1
        else:
            self.statistics.gaps += 1
            listing.missing = True

    def _on_sync(self, frame: Frame) -> None:
        if not frame["recovered"]:
            self._history = self._history._replace(epoch=frame["epoch"])
            self._start_listing()
            return
        changes = [Change.from_json(entry) for entry in frame["changes"]]
        if (listing := self.listing) is not None:
            for change in changes:
                if listing.seq is not None and change.seq == listing.seq + 1:
                    listing.apply(change)
            listing.missing = frame["more"]
            return
        for change in changes:
            if change.seq > self.replica.seq:
                self._take(change)
        self.behind = frame["more"]

    def _take(self, change: Change) -> None:
        before = self.replica.apply(change)
        write = self.queue.first()
        if write is not None and write.observe(change, before) and not change.own:
            change = replace(change, own=True)
        self._publish(change)

    def _on_page(self, frame: Frame) -> None:
        page = [Task.from_json(task) for task in frame["task"]]
        listing = self.listing or Listing(self._history)
        if listing.add(page, frame["seq"], frame.get("count")):
            epoch, user_id = listing.history
            self._on_snapshot(Snapshot(epoch, frame["seq"], listing.tasks, user_id))

    def _on_snapshot(self, snapshot: Snapshot) -> None:
        before, self.listing = self.replica.history, None
        self.replica.load(snapshot)
        if self._writer != snapshot.user_id:
            self._writer = snapshot.user_id
            if lost := self.queue.fail_on_new_account():
                log.warning("another user is logged in: %d writes that waited are not done", lost)
        elif before is not None and before.epoch != snapshot.epoch:
            self.queue.fail_on_new_history(self.replica.tasks)
        elif (write := self.queue.first()) is not None:
            write.observe_state(self.replica.tasks.get(write.task_id))
        self.behind = False
        self.statistics.snapshots += 1
        self._publish(snapshot)

    def fall_behind(self) -> None:
        self.behind = True
        self.news.set()

    @property
    def preview(self) -> Preview:
        """The tasks of this moment as they will be; the same object until something changes."""
        tasks, version = self.replica.copy(), self.queue.version
        if self._preview is None or self._preview[0] is not tasks or self._preview[1] != version:
            foreseen = {uuid: self.queue.foresee(uuid, tasks.get(uuid)) for uuid in self.queue.task_ids()}
            self._preview = tasks, version, Preview(tasks, foreseen)
        return self._preview[2]

    # Those who watch

    def watch(self, limit: int) -> ChangeStream:
        """From now on, beginning with what there is now. Whoever drops the stream is forgotten."""
        stream = ChangeStream(limit)
        if (snapshot := self.replica.snapshot()) is not None:
            stream.put(snapshot)
        self._streams.add(stream)
        return stream

    def _publish(self, event: Event) -> None:
        for stream in self._streams:
            stream.put(event)

    def end(self, pending: TaskbeamClientError, reason: Exception | None) -> int:
        """The client is over: ``pending`` is what writes that still wait are told, ``reason`` what watchers are.
        Returns how many writes waited."""
        for stream in self._streams:
            stream.end(reason)
        return self.queue.fail_all(pending)
