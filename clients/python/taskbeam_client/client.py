"""The client: what an application sees of it. ``connection_loop`` keeps it connected, ``state`` is what it knows."""

from __future__ import annotations

import asyncio
import logging
import uuid as uuids
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, NoReturn, Self

from taskbeam_client.backoff import Backoff
from taskbeam_client.connection_loop import ConnectionLoop, TokenProvider
from taskbeam_client.connector import Connector
from taskbeam_client.errors import ClientClosed, Invalid, NotFound, TaskbeamClientError, copy_to_raise
from taskbeam_client.fields import canonical_uuid, require_revision, trimmed, unsayable
from taskbeam_client.models import Task
from taskbeam_client.state import State, Statistics
from taskbeam_client.stream import ChangeStream
from taskbeam_client.write_queue import WriteFuture
from taskbeam_client.writes import Create, Delete, Update, Write

log = logging.getLogger("taskbeam_client")


class TaskbeamClient:
    """A user's tasks, here and on the server, for the length of an ``async with``.

    Writes are queued at once and in order, online or not, and return a future of their outcome. If the answer to one
    is lost, the client finds out from the change log whether it was done. A write names the revision that its caller
    has seen, so that nobody overwrites what they do not know. Cancelling the future of a write that was not sent yet
    withdraws it. The queue is in memory: it ends with the program. A client is for one event loop and its thread.

    When the client cannot go on (``LoggedOut``, ``ClientDefect``, an error of the token provider), the body of the
    ``async with`` is cancelled and raises that error. Whatever else waits on the client gets the same error.

    Besides the errors that each method names, the future of a write may raise ``Refused``, ``EarlierWriteFailed``,
    ``AccountChanged``, ``ClientClosed`` or what ended the client. A write that is made after the end raises what ended it
    (``ClientClosed`` after the ``async with``).

    Args:
        url: ``ws://…/ws/tasks/`` or ``wss://…``.
        token_provider: called for each new token; ``Session`` is one.
        queue_limit: writes that may wait; more raise QueueFull.
        observer_limit: events that may wait in one stream of changes.
        timeout: seconds for a connection to open, for a token to come, and for each answer to come or to go on coming.
        message_limit: bytes of the largest message, which is a page of the list of all tasks.
        backoff: how long to wait before the next try to connect.
        connect_options: for ``websockets.connect``: ``ssl``, ``proxy``, ``additional_headers``…
    """

    def __init__(
        self,
        url: str,
        token_provider: TokenProvider,
        *,
        queue_limit: int = 1000,
        observer_limit: int = 10_000,
        timeout: float = 30.0,
        message_limit: int = 2**28,
        backoff: Backoff | None = None,
        connect_options: Mapping[str, Any] | None = None,
    ) -> None:
        self._observer_limit = observer_limit
        self._state = State(queue_limit)
        connector = Connector(url, timeout, message_limit, connect_options or {})
        self._loop = ConnectionLoop(connector, self._state, token_provider, backoff or Backoff(), timeout)
        self._ended: Exception | None = None
        self._tasks = asyncio.TaskGroup()
        self._runner: asyncio.Task[NoReturn] | None = None

    # What there is

    @property
    def tasks(self) -> Mapping[str, Task]:
        """The server's tasks at ``seq``, by uuid, in order of creation. The view changes by itself, so a loop with an
        ``await`` in it goes over ``list(client.tasks)``.
        """
        return self._state.replica.tasks

    @property
    def preview(self) -> Mapping[str, Task]:
        """The tasks as they will be when all writes that wait are done: what a user interface shows. Cheap to ask for."""
        return self._state.preview

    @property
    def seq(self) -> int:
        """The position of the copy in the user's changes; 0 until there is a copy."""
        return self._state.replica.seq

    @property
    def epoch(self) -> str | None:
        """The server's history that ``seq`` belongs to; ``None`` until there is a copy."""
        return self._state.replica.epoch

    @property
    def user_id(self) -> int | None:
        """Whose tasks they are; ``None`` until there is a copy."""
        history = self._state.replica.history
        return None if history is None else history.user_id

    @property
    def connected(self) -> bool:
        """Whether there is a connection, and the copy has caught up on it."""
        return self._loop.is_connected

    @property
    def waiting(self) -> int:
        """How many writes have no outcome yet."""
        return len(self._state.queue)

    @property
    def statistics(self) -> Statistics:
        """What has happened so far."""
        return self._state.statistics

    async def ready(self) -> None:
        """Wait until the client is connected and the copy is there.

        Raises:
            TaskbeamClientError: what ended the client, if something did; also any other error of the token provider.
        """
        await self._loop.ready.wait()
        self._require_open()

    def changes(self) -> ChangeStream:
        """A stream for one reader: a snapshot first, then each change.

        Raises:
            TaskbeamClientError: what ended the client, if something did; also any other error of the token provider.
        """
        self._require_open()
        return self._state.watch(self._observer_limit)

    # Writing. Nothing here waits; what is returned may be awaited, or not.

    def create(
        self, task: str, description: str = "", *, completed: bool = False, uuid: str | None = None
    ) -> asyncio.Future[Task]:
        """Queue the creation of a task.

        Args:
            task: its title, 1 to 255 characters.
            description: up to 10,000 characters.
            completed: whether it is done.
            uuid: the new task's; a random one by default. With one that this user has already, the stored task is the result.

        Returns:
            A future of the new task.

        Raises:
            QueueFull: too many writes wait.
            TypeError: a value of a wrong type.
            ValueError: ``uuid`` is malformed.
            Invalid: from the future: a field is bad.
            Refused: from the future: the user has as many tasks as allowed, say.
        """
        fields = trimmed({"task": task, "description": description, "completed": completed})
        uuid = str(uuids.uuid4()) if uuid is None else canonical_uuid(uuid)
        future = self._future()
        if self._fail_invalid(future, fields):
            return future
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        draft = Task(uuid, self.user_id or 0, now, now, **fields, rev=1)
        return self._enqueue(Create(draft, future))

    def update(
        self,
        uuid: str,
        *,
        task: str | None = None,
        description: str | None = None,
        completed: bool | None = None,
        rev: int | None = None,
    ) -> asyncio.Future[Task]:
        """Queue a change of a task. What is left out keeps its value.

        Args:
            uuid: the task's.
            task: its new title, 1 to 255 characters.
            description: up to 10,000 characters.
            completed: whether it is done.
            rev: the revision to change; by default the one that is known here.

        Returns:
            A future of the changed task.

        Raises:
            NotFound: there is no such task here; from the future: nor at the server.
            QueueFull: too many writes wait.
            TypeError: a value of a wrong type.
            ValueError: ``uuid`` is malformed, or ``rev`` is no revision.
            Conflict: from the future: somebody else was faster; it has the current task.
            Invalid: from the future: a field is bad.
        """
        given = {"task": task, "description": description, "completed": completed}
        fields = trimmed({name: value for name, value in given.items() if value is not None})
        known, named = self._known(uuid, rev)
        future = self._future()
        if self._fail_invalid(future, fields):
            return future
        return self._enqueue(Update(known, fields, future, named=named))

    def delete(self, uuid: str, *, rev: int | None = None) -> asyncio.Future[None]:
        """Queue the deletion of a task.

        Args:
            uuid: the task's.
            rev: the revision to delete; by default the one that is known here.

        Returns:
            A future without a result.

        Raises:
            NotFound: there is no such task here; from the future: nor at the server.
            QueueFull: too many writes wait.
            TypeError: a value of a wrong type.
            ValueError: ``uuid`` is malformed, or ``rev`` is no revision.
            Conflict: from the future: somebody else was faster; it has the current task.
        """
        known, named = self._known(uuid, rev)
        return self._enqueue(Delete(known.uuid, known.rev, self._future(), base=known, named=named))

    def _known(self, uuid: str, rev: int | None) -> tuple[Task, bool]:
        """The task as it will be when this write has its turn; at the caller's revision, if that is another, and then
        ``True``."""
        uuid = canonical_uuid(uuid)
        require_revision(rev)
        self._require_open()  # the queue of a client that has ended knows no tasks
        task = self._state.queue.foresee(uuid, self.tasks.get(uuid))
        if task is None:
            raise NotFound(uuid)
        if rev is None or rev == task.rev:
            return task, False
        return Task(uuid, task.user_id, task.time_created, task.time_modified, *task.content, rev), True

    def _future(self) -> WriteFuture:
        self._require_open()
        self._state.queue.require_room()
        return WriteFuture(loop=asyncio.get_running_loop())

    @staticmethod
    def _fail_invalid(future: WriteFuture, fields: Mapping[str, object]) -> bool:
        """A write that cannot be said fails alone, and before it is sent."""
        if errors := unsayable(fields):
            future.set_exception(Invalid(errors))
        return bool(errors)

    def _enqueue(self, write: Write) -> asyncio.Future[Any]:
        self._state.queue.add(write)
        self._state.news.set()
        return write.future

    def _require_open(self) -> None:
        if self._ended is not None:
            raise copy_to_raise(self._ended)

    # The life of a client

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._runner = self._tasks.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        assert self._runner is not None
        self._runner.cancel()
        try:
            await self._tasks.__aexit__(kind, error, trace)
        except BaseExceptionGroup:
            if self._ended is None or self._ended is error:
                return False  # the body's own error, as it is
            raise self._ended from (None if isinstance(error, asyncio.CancelledError) else error)
        finally:
            if self._ended is None:
                self._end(ClientClosed("the client was closed"))
        return False

    async def _run(self) -> NoReturn:
        try:
            await self._loop.run()
        except Exception as error:
            self._end(error)
            raise

    def _end(self, error: Exception) -> None:
        self._ended = error
        closed = isinstance(error, ClientClosed)
        pending = (
            error if isinstance(error, TaskbeamClientError) else ClientClosed(f"the client failed: {error!r}")
        )
        if lost := self._state.end(pending, None if closed else error):
            log.warning("the client ends, and %d of its writes have no outcome: %s", lost, pending)
        self._loop.ready.set()

    def drop_connection(self) -> None:
        """Cut the connection, as networks do, to see how an application takes it. The client connects again."""
        self._loop.drop()
