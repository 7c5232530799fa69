"""What a group of writes comes to: each request is decided on what there is, and on what those before it decided.

A request that is refused has decided nothing. How tasks are kept is the engine's: it gives the tasks that the requests
name, and writes the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

import msgspec

from shared.clock import timestamp
from shared.errors import Conflict, LimitReached, NotFound, TaskbeamError, UserGone, ValidationFailed
from shared.models import (
    Change,
    CreateTask,
    DeleteTask,
    ImportTask,
    Mode,
    Operation,
    RefusedOperation,
    StoredTask,
    UpdateTask,
    Write,
    Written,
)

P = TypeVar("P")

_encode = msgspec.json.Encoder().encode


class Feed(msgspec.Struct, frozen=True, gc=False):
    """A user's feed: ``seq`` of the newest change, 0 before the first, and the number of the user's ``tasks``.

    An engine may give feeds with more fields.
    """

    seq: int
    tasks: int


class Kept(msgspec.Struct, Generic[P], frozen=True, gc=False):
    """A stored task and its user. ``place`` is what the engine finds it by; it is passed through unchanged."""

    user_id: int
    task: StoredTask
    place: P


class WriteRequest(msgspec.Struct, frozen=True, gc=False):
    """One operation of a user. ``now`` is in microseconds since the Unix epoch; ``write_id`` goes into the change."""

    user_id: int
    now: int
    max_tasks: int
    write_id: int | None
    operation: Write


class BatchRequest(msgspec.Struct, frozen=True):
    """Operations of a user: all are done, or none. Their changes have no write id: none of them is the answer.

    The garbage collector looks at it: a refused operation's error has the frames that it was raised through.
    """

    user_id: int
    now: int
    max_tasks: int
    operations: Sequence[Operation]

    @property
    def write_id(self) -> None:
        return None


Outcome = Written | list[Written] | TaskbeamError
"""Of a WriteRequest, of a BatchRequest, of either where it is refused."""

PlaceNewTask = Callable[[int, str | None], tuple[str, P]]
"""Called for each new task, in order, with the time and the client's uuid, if any: the task's uuid and its place."""


class Decided(msgspec.Struct, Generic[P], frozen=True):
    """What came of a group: the ``outcomes`` in the order of the requests, the ``changes`` in theirs.

    ``feeds`` are those of the users who have changes, ``tasks`` those that were written, ``None`` where one is deleted.
    """

    outcomes: list[Outcome]
    changes: list[Change]
    feeds: dict[int, Feed]
    tasks: dict[str, Kept[P] | None]


def named_tasks(requests: Iterable[WriteRequest | BatchRequest]) -> set[str]:
    """The uuids that ``decide`` must be given the tasks of."""
    uuids: set[str | None] = set()
    for request in requests:
        if isinstance(request, WriteRequest):
            uuids.add(request.operation.uuid)
        else:
            uuids.update(
                operation.uuid
                for operation in request.operations
                if not isinstance(operation, RefusedOperation)
            )
    return {uuid for uuid in uuids if uuid is not None}


def decide(
    requests: Iterable[WriteRequest | BatchRequest],
    feeds: Mapping[int, Feed],
    tasks: Mapping[str, Kept[P]],
    place_new_task: PlaceNewTask[P],
) -> Decided[P]:
    """Decide a group of requests, one after the other.

    An outcome may be NotFound, Conflict, LimitReached, ValidationFailed, UserGone, or what a refused operation has. Of
    a batch, ``op`` among the error's extras is the operation's index.

    Args:
        feeds: of all who ask; a user who has none is gone.
        tasks: of the uuids that are named, those that there are, whoever's.
    """
    group = _Group(feeds, tasks, place_new_task)
    outcomes: list[Outcome] = []
    for request in requests:
        try:
            if isinstance(request, WriteRequest):
                outcomes.append(group.write(request, request.operation))
            else:
                outcomes.append(group.write_all(request))
        except TaskbeamError as refusal:
            outcomes.append(refusal)
    return Decided(outcomes, group.changes, group.new_feeds, group.new_tasks)


class _Group(Generic[P]):
    """What was decided so far."""

    def __init__(
        self, feeds: Mapping[int, Feed], tasks: Mapping[str, Kept[P]], place_new_task: PlaceNewTask[P]
    ) -> None:
        self._feeds = feeds
        self._tasks = tasks
        self._place_new_task = place_new_task
        self.changes: list[Change] = []
        self.new_feeds: dict[int, Feed] = {}
        self.new_tasks: dict[str, Kept[P] | None] = {}

    def write_all(self, request: BatchRequest) -> list[Written]:
        feeds, tasks, changes = self.new_feeds.copy(), self.new_tasks.copy(), len(self.changes)
        written = []
        for index, operation in enumerate(request.operations):
            try:
                written.append(self.write(request, operation))
            except TaskbeamError as refusal:
                self.new_feeds, self.new_tasks = feeds, tasks
                del self.changes[changes:]
                if isinstance(refusal, Conflict) and isinstance(operation, (UpdateTask, DeleteTask)):
                    kept = self._find(operation.uuid)  # what the batch made of the task never existed
                    refusal.extra["task"] = None if kept is None else kept.task.decode()
                refusal.extra["op"] = index
                raise
        return written

    def write(self, request: WriteRequest | BatchRequest, operation: Operation) -> Written:
        match operation:
            case CreateTask():
                return self._create(request, operation)
            case UpdateTask():
                return self._update(request, operation)
            case DeleteTask():
                return self._delete(request, operation)
            case ImportTask():
                return self._import(request, operation)
            case RefusedOperation():
                raise operation.error

    def _create(self, request: WriteRequest | BatchRequest, operation: CreateTask) -> Written:
        user_id, uuid = request.user_id, operation.uuid
        if uuid is not None and (kept := self._find_own(user_id, uuid)) is not None:
            return Written(kept.task, None)  # the request came again
        feed = self._feed(user_id)
        if feed.tasks >= request.max_tasks:
            raise LimitReached(request.max_tasks)
        uuid, place = self._place_new_task(request.now, uuid)
        task = StoredTask(uuid, _encode(operation.made(uuid, user_id, timestamp(request.now))))
        self.new_tasks[uuid] = Kept(user_id, task, place)
        return Written(task, self._change(request, "create", task, feed.seq, feed.tasks + 1))

    def _import(self, request: WriteRequest | BatchRequest, operation: ImportTask) -> Written:
        """As ``_create``, with the times that the task has elsewhere. One in the future would keep later ones from
        standing at their place in the list, so it becomes the time of the import.
        """
        user_id, uuid = request.user_id, operation.uuid
        if uuid is not None and (kept := self._find_own(user_id, uuid)) is not None:
            return Written(kept.task, None)
        feed = self._feed(user_id)
        if feed.tasks >= request.max_tasks:
            raise LimitReached(request.max_tasks)
        if operation.time_created < 0:
            raise ValidationFailed({"time_created": ["This time is before 1970."]})
        created = min(operation.time_created, request.now)
        modified = max(created, min(operation.time_modified, request.now))
        uuid, place = self._place_new_task(created, uuid)
        made = operation.task.made(uuid, user_id, timestamp(created))
        task = StoredTask(uuid, _encode(msgspec.structs.replace(made, time_modified=timestamp(modified))))
        self.new_tasks[uuid] = Kept(user_id, task, place)
        return Written(task, self._change(request, "create", task, feed.seq, feed.tasks + 1))

    def _update(self, request: WriteRequest | BatchRequest, operation: UpdateTask) -> Written:
        kept, feed = self._find_expected(request, operation), self._feed(request.user_id)
        old = kept.task.decode()
        # A clock that was set back must not turn the order around.
        new = operation.applied(old, max(timestamp(request.now), old.time_modified))
        task = StoredTask(old.uuid, _encode(new))
        self.new_tasks[task.uuid] = Kept(kept.user_id, task, kept.place)
        return Written(task, self._change(request, "update", task, feed.seq, feed.tasks))

    def _delete(self, request: WriteRequest | BatchRequest, operation: DeleteTask) -> Written:
        kept, feed = self._find_expected(request, operation), self._feed(request.user_id)
        self.new_tasks[operation.uuid] = None
        return Written(kept.task, self._change(request, "delete", kept.task, feed.seq, feed.tasks - 1))

    def _find(self, uuid: str) -> Kept[P] | None:
        return self.new_tasks[uuid] if uuid in self.new_tasks else self._tasks.get(uuid)

    def _find_own(self, user_id: int, uuid: str) -> Kept[P] | None:
        """Raises ValidationFailed where it is another user's."""
        kept = self._find(uuid)
        if kept is not None and kept.user_id != user_id:
            raise ValidationFailed({"uuid": ["This field must be unique."]})
        return kept

    def _find_expected(
        self, request: WriteRequest | BatchRequest, operation: UpdateTask | DeleteTask
    ) -> Kept[P]:
        """Raises NotFound, Conflict."""
        kept = self._find(operation.uuid)
        if kept is None or kept.user_id != request.user_id:
            raise NotFound
        if operation.rev is not None and operation.rev != kept.task.rev:
            raise Conflict(kept.task.decode())
        return kept

    def _feed(self, user_id: int) -> Feed:
        """Raises UserGone."""
        feed = self.new_feeds.get(user_id) or self._feeds.get(user_id)
        if feed is None:
            raise UserGone
        return feed

    def _change(
        self, request: WriteRequest | BatchRequest, mode: Mode, task: StoredTask, seq: int, tasks: int
    ) -> Change:
        """The change after ``seq``, which leaves the user with so many ``tasks``."""
        json = None if mode == "delete" else task.json
        change = Change(request.user_id, seq + 1, mode, task.uuid, json, request.write_id)
        self.new_feeds[request.user_id] = Feed(seq + 1, tasks)
        self.changes.append(change)
        return change
