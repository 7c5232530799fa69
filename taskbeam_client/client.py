"""The client: stays connected, keeps its copy, sends the writes, and says so when it cannot go on."""

from __future__ import annotations

import asyncio
import logging
import uuid as uuids
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, NoReturn, Self

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus, WebSocketException

from taskbeam_client.backoff import Backoff
from taskbeam_client.conversation import NOT_AUTHENTICATED, Conversation
from taskbeam_client.errors import ClientClosed, ClientDefect, LoggedOut, NotFound, TaskbeamClientError
from taskbeam_client.link import Link, Lost
from taskbeam_client.models import Task
from taskbeam_client.state import State, Statistics
from taskbeam_client.stream import ChangeStream
from taskbeam_client.writes import Create, Delete, Update, Write

TokenProvider = Callable[[], Awaitable[str]]
"""Returns an access token that was not used before. ``LoggedOut`` ends the client, ``OSError`` means try later."""

_TOKEN_EXPIRED: Final = 4401
_TOKEN_REVOKED: Final = 4403
_MEND_THE_CLIENT: Final = frozenset({1003, 1007, 1009, 4003, 4029})
_REFUSED_TOKENS_MOST: Final = 3  # one after another, each of them new
_CLOSE_TIMEOUT: Final = 2.0

log = logging.getLogger(__name__)


class TaskbeamClient:
    """A user's tasks, here and on the server, for the length of an ``async with``.

    Writes are queued at once and in order, online or not, and return a future of their outcome; the
    module ``taskbeam_client.writes`` says what happens to one whose answer was lost. A write names the
    revision that its caller has seen, so that nobody overwrites what they do not know. Cancelling the
    future of a write that was not sent yet withdraws it.

    When the client cannot go on (``LoggedOut``, ``ClientDefect``, an error of the token provider), the
    body of the ``async with`` is cancelled and that error leaves it; whatever waits on the client
    elsewhere gets the same error.

    Args:
        url: ``ws://…/ws/tasks/`` or ``wss://…``.
        token_provider: called for each new token; ``Session`` is one.
        queue_limit: writes that may wait; more raise QueueFull.
        observer_limit: events that may wait in one stream of changes.
        timeout: seconds for a connection to open, for a token to come, and for each answer.
        message_limit: bytes of the largest message, which is the answer to ``all``.
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
        self._url = url
        self._token_provider = token_provider
        self._observer_limit = observer_limit
        self._timeout = timeout
        self._message_limit = message_limit
        self._backoff = backoff or Backoff()
        self._connect_options = dict(connect_options or {})
        self._state = State(queue_limit)
        self._token: str | None = None
        self._refused_tokens = 0
        self._link: Link | None = None
        self._ready = asyncio.Event()
        self._ended: Exception | None = None
        self._tasks = asyncio.TaskGroup()
        self._runner: asyncio.Task[NoReturn] | None = None

    # What there is

    @property
    def tasks(self) -> Mapping[str, Task]:
        """The server's tasks at ``seq``, by uuid, in order of creation: a view that moves on by itself."""
        return self._state.replica.tasks

    @property
    def preview(self) -> dict[str, Task]:
        """The tasks as they will be, when all writes that wait are done."""
        preview = dict(self.tasks)
        for task_id in self._state.queue.task_ids():
            task = self._state.queue.foresee(task_id, self.tasks.get(task_id))
            if task is None:
                preview.pop(task_id, None)
            else:
                preview[task_id] = task
        return preview

    @property
    def seq(self) -> int:
        return self._state.replica.seq

    @property
    def epoch(self) -> str | None:
        """``None`` until there is a copy."""
        return self._state.replica.epoch

    @property
    def connected(self) -> bool:
        """Whether there is a connection, and the copy was caught up on it."""
        return self._link is not None and self._ready.is_set()

    @property
    def waiting(self) -> int:
        """How many writes have no outcome yet."""
        return len(self._state.queue)

    @property
    def statistics(self) -> Statistics:
        return self._state.statistics

    async def ready(self) -> None:
        """Wait until connected. Raises what ended the client, if something did."""
        await self._ready.wait()
        self._require_open()

    def changes(self) -> ChangeStream:
        """What happens from now on, for one reader: see ``ChangeStream``."""
        self._require_open()
        return self._state.watch(self._observer_limit)

    # Writing. Nothing here waits; what is returned may be awaited, or not.

    def create(
        self, task: str, description: str = "", *, completed: bool = False, uuid: str | None = None
    ) -> asyncio.Future[Task]:
        """Raises QueueFull. The future may raise Invalid, Refused."""
        uuid = str(uuids.uuid4()) if uuid is None else str(uuids.UUID(uuid))
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        draft = Task(uuid, 0, now, now, task.strip(), description.strip(), completed, rev=1)
        return self._enqueue(Create(draft, self._future()))

    def update(
        self,
        uuid: str,
        *,
        task: str | None = None,
        description: str | None = None,
        completed: bool | None = None,
        rev: int | None = None,
    ) -> asyncio.Future[Task]:
        """What is left out keeps its value. ``rev``, if not the one that is known here, must be the current one.

        Raises QueueFull, NotFound. The future may raise Conflict, NotFound, Invalid.
        """
        fields: dict[str, str | bool] = {}
        if task is not None:
            fields["task"] = task.strip()
        if description is not None:
            fields["description"] = description.strip()
        if completed is not None:
            fields["completed"] = completed
        return self._enqueue(Update(self._known(uuid, rev), fields, self._future()))

    def delete(self, uuid: str, *, rev: int | None = None) -> asyncio.Future[None]:
        """Raises QueueFull, NotFound. The future may raise Conflict, NotFound."""
        known = self._known(uuid, rev)
        return self._enqueue(Delete(known.uuid, known.rev, self._future()))

    def _known(self, uuid: str, rev: int | None) -> Task:
        """The task as it will be when this write has its turn; at the caller's revision, if there is one."""
        uuid = str(uuids.UUID(uuid))
        task = self._state.queue.foresee(uuid, self.tasks.get(uuid))
        if task is None:
            raise NotFound(uuid)
        if rev is None or rev == task.rev:
            return task
        return Task(uuid, task.user_id, task.time_created, task.time_modified, *task.content, rev)

    def _future(self) -> asyncio.Future[Any]:
        self._require_open()
        self._state.queue.require_room()
        return asyncio.get_running_loop().create_future()

    def _enqueue(self, write: Write) -> asyncio.Future[Any]:
        self._state.queue.add(write)
        self._state.news.set()
        return write.future

    def _require_open(self) -> None:
        if self._ended is not None:
            raise self._ended

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
            while True:
                lost = await self._connect()
                self._ready.clear()
                log.info("disconnected: %s", lost)
                await asyncio.sleep(self._backoff.next())
        except Exception as error:
            self._end(error)
            raise

    def _end(self, error: Exception) -> None:
        self._ended = error
        closed = isinstance(error, ClientClosed)
        pending = (
            error if isinstance(error, TaskbeamClientError) else ClientClosed(f"the client failed: {error!r}")
        )
        self._state.end(pending, None if closed else error)
        self._ready.set()

    async def _connect(self) -> Exception:
        """One connection, from the token to its end; returns why it ended. Raises what ends the client."""
        try:
            token = await self._new_token() if self._token is None else self._token
            async with connect(
                self._url,
                compression=None,
                open_timeout=self._timeout,
                close_timeout=_CLOSE_TIMEOUT,
                max_size=self._message_limit,
                **self._connect_options,
            ) as socket:
                self._link = Link(socket, self._state.on_frame, self._timeout)
                await Conversation(self._link, self._state, self._new_token, self._on_ready).run(token)
        except Lost as lost:
            return self._judge(lost)
        except InvalidStatus as refusal:
            if refusal.response.status_code < 500 and refusal.response.status_code != 429:
                raise ClientDefect(f"{self._url}: {refusal}") from None
            return refusal
        except (OSError, InvalidMessage, ConnectionClosed) as unreachable:  # TimeoutError is an OSError too
            return unreachable
        except WebSocketException as error:
            raise ClientDefect(f"{self._url}: {error}") from error
        finally:
            self._link = None
        raise AssertionError("a conversation ends with an error")

    def _judge(self, lost: Lost) -> Lost:
        """Whether to try again, and with which token; as the contract says of each close code."""
        if lost.code == _TOKEN_REVOKED:
            raise LoggedOut(lost.reason)
        if lost.code in _MEND_THE_CLIENT:
            raise ClientDefect(lost.reason, lost.code)
        if lost.code in (NOT_AUTHENTICATED, _TOKEN_EXPIRED):
            self._token = None
            self._refused_tokens += lost.code == NOT_AUTHENTICATED
            if self._refused_tokens >= _REFUSED_TOKENS_MOST:
                raise LoggedOut("new tokens are refused, one after another")
        return lost

    async def _new_token(self) -> str:
        async with asyncio.timeout(self._timeout):
            self._token = await self._token_provider()
        return self._token

    def _on_ready(self) -> None:
        self._refused_tokens = 0
        self._backoff.reset()
        self.statistics.connections += 1
        self._ready.set()

    def drop_connection(self) -> None:
        """Cut the connection, as networks do, to see how an application takes it. The client connects again."""
        if self._link is not None:
            self._link.drop()
