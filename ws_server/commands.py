"""What each request does: a table of handlers, from the protocol's requests to the task service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from shared.models import Written
from ws_server import protocol
from ws_server.protocol import All, Batch, Command, Create, Delete, Ping, Read, Sync, Update
from ws_server.stream import Stream

Handler = Callable[[Stream, int, Any], Awaitable[bytes | None]]
"""Returns the answer's frame, or ``None`` where the answer takes its place in the stream of changes."""


async def _all(stream: Stream, user_id: int, request: All) -> None:
    await stream.at_snapshot(
        request,
        lambda: stream.context.tasks.find(user_id, request.query),
        lambda page: page.seq,
        lambda page: protocol.all_frame(page, request.paged),
    )


def _create(stream: Stream, user_id: int, request: Create) -> Awaitable[bytes | None]:
    tasks = stream.context.tasks
    return stream.write(request, lambda write_id: tasks.create(user_id, request.data, write_id=write_id))


async def _read(stream: Stream, user_id: int, request: Read) -> bytes:
    return protocol.read_frame(await stream.context.tasks.read(user_id, request.task_id))


def _update(stream: Stream, user_id: int, request: Update) -> Awaitable[bytes | None]:
    tasks = stream.context.tasks
    return stream.write(
        request,
        lambda write_id: tasks.update(
            user_id, request.task_id, request.data, rev=request.rev, write_id=write_id
        ),
    )


def _delete(stream: Stream, user_id: int, request: Delete) -> Awaitable[bytes | None]:
    tasks = stream.context.tasks
    return stream.write(
        request, lambda write_id: tasks.delete(user_id, request.task_id, rev=request.rev, write_id=write_id)
    )


async def _batch(stream: Stream, user_id: int, request: Batch) -> None:
    def seqs(written: list[Written]) -> list[int]:
        return [result.change.seq for result in written if result.change is not None]

    await stream.at_snapshot(
        request,
        lambda: stream.context.tasks.batch(user_id, request.operations),
        lambda written: max(seqs(written), default=0),
        protocol.batch_frame,
        covered_from=lambda written: min(seqs(written), default=1),
    )


async def _sync(stream: Stream, user_id: int, request: Sync) -> None:
    tasks = stream.context.tasks
    await stream.at_snapshot(
        request,
        lambda: tasks.changes(user_id, request.epoch, request.since),
        lambda page: page.seq if page.reason is None else 0,
        lambda page: protocol.sync_frame(page, tasks.epoch),
        covered_from=lambda _: 0,
    )


async def _ping(stream: Stream, user_id: int, request: Ping) -> None:
    await stream.at_snapshot(
        request,
        lambda: stream.context.tasks.seq(user_id),
        lambda seq: seq,
        protocol.pong_frame,
    )


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
