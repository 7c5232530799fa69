"""What each request does: a table of handlers, from the protocol's requests to the task service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from ws_server import protocol
from ws_server.protocol import All, Batch, Command, Create, Delete, Ping, Read, Sync, Update

if TYPE_CHECKING:
    from shared.models import Written
    from ws_server.connection import Connection

Handler = Callable[["Connection", int, Any], Awaitable[bytes | None]]
"""Returns the answer's frame, or ``None`` where the answer takes its place in the stream of changes."""


async def _all(connection: Connection, user_id: int, request: All) -> None:
    await connection.at_snapshot(
        request,
        lambda: connection.context.tasks.find(user_id, request.query),
        lambda page: page.seq,
        lambda page: protocol.all_frame(page, request.paged),
    )


def _create(connection: Connection, user_id: int, request: Create) -> Awaitable[bytes | None]:
    tasks = connection.context.tasks
    return connection.write(request, lambda origin: tasks.create(user_id, request.data, origin=origin))


async def _read(connection: Connection, user_id: int, request: Read) -> bytes:
    return protocol.read_frame(await connection.context.tasks.read(user_id, request.task_id))


def _update(connection: Connection, user_id: int, request: Update) -> Awaitable[bytes | None]:
    tasks = connection.context.tasks
    return connection.write(
        request,
        lambda origin: tasks.update(user_id, request.task_id, request.data, rev=request.rev, origin=origin),
    )


def _delete(connection: Connection, user_id: int, request: Delete) -> Awaitable[bytes | None]:
    tasks = connection.context.tasks
    return connection.write(
        request, lambda origin: tasks.delete(user_id, request.task_id, rev=request.rev, origin=origin)
    )


async def _batch(connection: Connection, user_id: int, request: Batch) -> None:
    def seqs(written: list[Written]) -> list[int]:
        return [result.change.seq for result in written if result.change is not None]

    await connection.at_snapshot(
        request,
        lambda: connection.context.tasks.batch(user_id, request.operations),
        lambda written: max(seqs(written), default=0),
        protocol.batch_frame,
        covered_from=lambda written: min(seqs(written), default=1),
    )


async def _sync(connection: Connection, user_id: int, request: Sync) -> None:
    tasks = connection.context.tasks
    await connection.at_snapshot(
        request,
        lambda: tasks.changes(user_id, request.epoch, request.since),
        lambda page: page.seq if page.reason is None else 0,
        lambda page: protocol.sync_frame(page, tasks.epoch),
        covered_from=lambda _: 0,
    )


async def _ping(connection: Connection, user_id: int, request: Ping) -> None:
    await connection.at_snapshot(
        request,
        lambda: connection.context.tasks.seq(user_id),
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
