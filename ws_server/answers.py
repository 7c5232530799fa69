"""What clients are sent: the bytes of a frame for each answer, notice and error, without any I/O. Pushes: ``push``."""

from __future__ import annotations

from typing import Final

import msgspec

from shared.clock import timestamp
from shared.errors import TaskbeamError
from shared.models import ChangePage, StoredTask, TaskPage, Written
from shared.wire import results_json, sync_json
from ws_server.requests import Envelope

_encode: Final = msgspec.json.Encoder().encode


def with_id(frame: bytes, request_id: bytes) -> bytes:
    """The frame as the answer to the request of that id."""
    return b'%b,"id":%b}' % (frame[:-1], request_id) if request_id else frame


def read_frame(task: StoredTask) -> bytes:
    """The answer to a read."""
    return b'{"type":"task.update","mode":"read","task":%b,"task_id":"%b"}' % (task.json, task.uuid.encode())


def all_frame(page: TaskPage, paged: bool) -> bytes:
    """The answer to an ``all``; ``paged``: with the count of matches."""
    count = b',"count":%d' % page.count if paged else b""
    return b'{"type":"task.update","mode":"all","task":%b,"seq":%d%b}' % (page.json, page.seq, count)


def batch_frame(written: list[Written]) -> bytes:
    """The answer to a batch that was carried out."""
    return b'{"type":"batch","results":%b}' % results_json(written)


def sync_frame(page: ChangePage, epoch: str) -> bytes:
    """The answer to a ``sync``."""
    return b'{"type":"sync",%b' % sync_json(page, epoch)[1:]


def auth_frame(user_id: int, expires: int, epoch: str, seq: int) -> bytes:
    """``expires`` is in Unix seconds."""
    return _encode(
        {
            "type": "auth",
            "message": "Authentication successful",
            "user_id": user_id,
            "expires": timestamp(expires * 1_000_000),
            "epoch": epoch,
            "seq": seq,
        }
    )


def expiring_frame(seconds: int) -> bytes:
    """The notice that the token ends in so many seconds."""
    return b'{"type":"auth.expiring","in":%d}' % seconds


def pong_frame(seq: int) -> bytes:
    """The answer to a ping."""
    return b'{"type":"pong","seq":%d}' % seq


def error_frame(error: TaskbeamError, envelope: Envelope) -> bytes:
    """What a service refused, in the words of its error."""
    return failure_frame(error.code, error.message, envelope, **error.extra)


def failure_frame(code: str, message: str, envelope: Envelope, **extra: object) -> bytes:
    """An error frame; ``extra`` are the keys that this code has beside the common ones."""
    frame: dict[str, object] = {"type": "error", "message": message, "code": code}
    if envelope.mode is not None:
        frame["mode"] = envelope.mode
    if envelope.task_id is not None:
        frame["task_id"] = envelope.task_id
    return with_id(_encode({**frame, **extra}), envelope.id)
