"""What each request does: a table of handlers, from requests to the task service and the stream."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from shared.tasks import TaskService
from ws_server.answers import all_frame, batch_frame, pong_frame, read_frame, sync_frame
from ws_server.requests import All, Batch, Command, Create, Delete, Ping, Read, Sync, Update
from ws_server.stream import Stream

Handler = Callable[[Stream, TaskService, int, Any], Awaitable[None]]
"""Carries out a request of a user, and answers it on the stream."""


async def _create(stream: Stream, tasks: TaskService, user_id: int, request: Create) -> None:
    written = await tasks.create(user_id, request.data, write_id=stream.expect_write())
    await stream.answer_write(written)


async def _update(stream: Stream, tasks: TaskService, user_id: int, request: Update) -> None:
    written = await tasks.update(
        user_id, request.task_id, request.data, rev=request.rev, write_id=stream.expect_write()
    )
    await stream.answer_write(written)


async def _delete(stream: Stream, tasks: TaskService, user_id: int, request: Delete) -> None:
    written = await tasks.delete(user_id, request.task_id, rev=request.rev, write_id=stream.expect_write())
    await stream.answer_write(written)


async def _batch(stream: Stream, tasks: TaskService, user_id: int, request: Batch) -> None:
    stream.start_buffering()
    written = await tasks.batch(user_id, request.operations)
    seqs = [result.change.seq for result in written if result.change is not None] or [0]
    await stream.answer_from_snapshot(batch_frame(written), max(seqs), contains_from=min(seqs))


async def _read(stream: Stream, tasks: TaskService, user_id: int, request: Read) -> None:
    stream.answer(read_frame(await tasks.read(user_id, request.task_id)))


async def _all(stream: Stream, tasks: TaskService, user_id: int, request: All) -> None:
    stream.start_buffering()
    page = await tasks.find(user_id, request.query)
    await stream.answer_from_snapshot(all_frame(page, request.paged), page.seq)


async def _sync(stream: Stream, tasks: TaskService, user_id: int, request: Sync) -> None:
    stream.start_buffering()
    page = await tasks.changes(user_id, request.epoch, request.since)
    seq = page.seq if page.reason is None else 0
    await stream.answer_from_snapshot(sync_frame(page, tasks.epoch), seq, contains_from=0)


async def _ping(stream: Stream, tasks: TaskService, user_id: int, request: Ping) -> None:
    stream.start_buffering()
    seq = await tasks.seq(user_id)
    await stream.answer_from_snapshot(pong_frame(seq), seq)


COMMANDS: Final[dict[type[Command], Handler]] = {
    All: _all,
    Create: _create,
    Read: _read,
    Update: _update,
    Delete: _delete,
    Batch: _batch,
    Sync: _sync,
    Ping: _ping,
}
