"""What the client knows, and what each frame of the server makes of it. No I/O, nothing waits."""

from __future__ import annotations

import asyncio
import weakref
from dataclasses import dataclass

from taskbeam_client.errors import TaskbeamClientError
from taskbeam_client.link import Frame
from taskbeam_client.models import Change, Event, Snapshot, Task
from taskbeam_client.replica import Replica
from taskbeam_client.stream import ChangeStream
from taskbeam_client.writes import WriteQueue

_CHANGES = frozenset({"create", "update", "delete"})


@dataclass
class Statistics:
    """What has happened so far. ``gaps`` and ``duplicates`` are pushes that the contract rules out."""

    connections: int = 0
    syncs: int = 0
    snapshots: int = 0
    gaps: int = 0
    duplicates: int = 0


class State:
    """The copy, the writes that wait, those who watch.

    Attributes:
        behind: changes are missing, and only ``sync`` or ``all`` will bring them.
        news: there is something to do: writes wait, or the copy is behind.
        expires_in: the server has said that the token ends in so many seconds; ``expiring`` is set then.
    """

    def __init__(self, queue_limit: int) -> None:
        self.replica = Replica()
        self.queue = WriteQueue(queue_limit)
        self.statistics = Statistics()
        self.behind = True
        self.server_epoch = ""
        self.news = asyncio.Event()
        self.expires_in = 0.0
        self.expiring = asyncio.Event()
        self._streams: weakref.WeakSet[ChangeStream] = weakref.WeakSet()

    def on_frame(self, frame: Frame) -> None:
        """Called with every frame, in the order of the stream."""
        kind, mode = frame.get("type"), frame.get("mode")
        if kind == "task.update" and mode in _CHANGES and "seq" in frame:
            self._on_change(Change.from_json(frame))
        elif kind == "task.update" and mode == "all":
            tasks = tuple(Task.from_json(task) for task in frame["task"])
            self._on_snapshot(Snapshot(self.server_epoch, frame["seq"], tasks))
        elif kind == "sync":
            self._on_sync(frame)
        elif kind == "auth":
            self.server_epoch = frame["epoch"]
            self.behind = (self.replica.epoch, self.replica.seq) != (frame["epoch"], frame["seq"])
        elif kind == "auth.expiring":
            self.expires_in = float(frame["in"])
            self.expiring.set()

    def _on_change(self, change: Change) -> None:
        expected = self.replica.seq + 1
        if self.replica.epoch != self.server_epoch:
            return  # of a history that the copy does not belong to; the snapshot that is under way has it
        if change.seq == expected:
            self._take(change)
        elif change.seq < expected:
            self.statistics.duplicates += 1
        elif not self.behind:  # else the sync that is under way will bring it
            self.statistics.gaps += 1
            self.fall_behind()

    def _on_sync(self, frame: Frame) -> None:
        if not frame["recovered"]:
            self.server_epoch = frame["epoch"]
            return
        for entry in frame["changes"]:
            if entry["seq"] > self.replica.seq:
                self._take(Change.from_json(entry))
        self.behind = frame["more"]

    def _take(self, change: Change) -> None:
        before = self.replica.apply(change)
        if (write := self.queue.first()) is not None:
            write.observe(change, before)
        self._publish(change)

    def _on_snapshot(self, snapshot: Snapshot) -> None:
        new_history = self.replica.epoch not in (None, snapshot.epoch)
        self.replica.load(snapshot)
        if new_history:
            self.queue.fail_on_new_history(self.replica.tasks)
        elif (write := self.queue.first()) is not None:
            write.observe_state(self.replica.tasks.get(write.task_id))
        self.behind = False
        self.statistics.snapshots += 1
        self._publish(snapshot)

    def fall_behind(self) -> None:
        self.behind = True
        self.news.set()

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

    def end(self, pending: TaskbeamClientError, reason: Exception | None) -> None:
        """The client is over: ``pending`` is what writes that still wait are told, ``reason`` what watchers are."""
        self.queue.fail_all(pending)
        for stream in self._streams:
            stream.end(reason)
