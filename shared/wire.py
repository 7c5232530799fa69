"""The JSON that both transports send: task frames, batch results, pages of changes.

A change contains its task's JSON as stored in the log. So these functions join bytes and encode no task again.
"""

from __future__ import annotations

from typing import Final

import msgspec

from shared.models import Change, ChangePage, StoredTask, Written

_DELETED: Final = b'{"message":"Task deleted!"}'
_encode = msgspec.json.Encoder().encode


def change_frame(change: Change) -> bytes:
    """The task frame of a change, which every socket of the user gets."""
    return b'{"type":"task.update","mode":"%b","task":%b,"task_id":"%b","seq":%d}' % (
        change.mode.encode(),
        _DELETED if change.task is None else change.task,
        change.task_id.encode(),
        change.seq,
    )


def replayed_frame(task: StoredTask) -> bytes:
    """The answer to a create whose task existed already: nothing changed, so it has no seq."""
    return b'{"type":"task.update","mode":"create","task":%b,"task_id":"%b","replayed":true}' % (
        task.json,
        task.uuid.encode(),
    )


def results_json(written: list[Written]) -> bytes:
    """The list of task frames that answers a batch."""
    frames = (
        replayed_frame(result.task) if result.change is None else change_frame(result.change)
        for result in written
    )
    return b"[%b]" % b",".join(frames)


def change_json(change: Change) -> bytes:
    """A change in the answer to ``sync`` and in the REST change feed."""
    return b'{"seq":%d,"mode":"%b","task_id":"%b","task":%b}' % (
        change.seq,
        change.mode.encode(),
        change.task_id.encode(),
        b"null" if change.task is None else change.task,
    )


def sync_json(page: ChangePage, epoch: str) -> bytes:
    """An answer to ``sync``; ``epoch`` is the current one."""
    if page.reason is not None:
        return _encode({"recovered": False, "reason": page.reason, "epoch": epoch, "seq": page.seq})
    changes = b",".join(change_json(change) for change in page.changes)
    more = b"true" if page.more else b"false"
    return b'{"recovered":true,"changes":[%b],"seq":%d,"more":%b}' % (changes, page.seq, more)
