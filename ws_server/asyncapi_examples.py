"""Examples for the AsyncAPI document, by the names of its messages. Tests send the requests, and check all against their types."""

from __future__ import annotations

from typing import Any, Final

_ID: Final = "16f894b8-cb89-4672-9561-0b80cc75ae1b"
_EPOCH: Final = "k3Jd9f0a"
_TASK: Final = {
    "uuid": _ID,
    "user_id": 1,
    "time_created": "2026-11-22T11:57:25.175297Z",
    "time_modified": "2026-11-22T11:57:25.175297Z",
    "task": "Buy milk",
    "description": "2 litres",
    "completed": False,
    "rev": 1,
}
_DONE: Final = {**_TASK, "time_modified": "2026-11-22T12:03:10.904511Z", "completed": True, "rev": 2}
_CREATED: Final = {"type": "task.update", "mode": "create", "task": _TASK, "task_id": _ID, "seq": 1}
_UPDATED: Final = {"type": "task.update", "mode": "update", "task": _DONE, "task_id": _ID, "seq": 2}
_DELETED: Final = {
    "type": "task.update",
    "mode": "delete",
    "task": {"message": "Task deleted!"},
    "task_id": _ID,
    "seq": 3,
}

EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "Auth": {"type": "auth", "token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.c2lnbmF0dXJl"},
    "All": {"mode": "all", "completed": False, "ordering": "-time_modified", "limit": 50, "id": "a1"},
    "Create": {"mode": "create", "data": {"task": "Buy milk", "description": "2 litres"}, "id": "a2"},
    "Read": {"mode": "read", "task_id": _ID},
    "Update": {"mode": "update", "task_id": _ID, "data": {"completed": True}, "rev": 1},
    "Delete": {"mode": "delete", "task_id": _ID},
    "Batch": {
        "mode": "batch",
        "ops": [
            {"mode": "create", "data": {"task": "Buy milk"}},
            {"mode": "update", "task_id": _ID, "data": {"completed": True}},
        ],
    },
    "Sync": {"mode": "sync", "epoch": _EPOCH, "since": 1},
    "Ping": {"mode": "ping"},
    "Authenticated": {
        "type": "auth",
        "message": "Authentication successful",
        "user_id": 1,
        "expires": "2026-11-22T12:57:25.000000Z",
        "epoch": _EPOCH,
        "seq": 0,
    },
    "Expiring": {"type": "auth.expiring", "in": 60},
    "TaskList": {"type": "task.update", "mode": "all", "task": [_TASK], "seq": 1, "count": 1, "id": "a1"},
    "TaskRead": {"type": "task.update", "mode": "read", "task": _TASK, "task_id": _ID},
    "TaskCreated": {**_CREATED, "id": "a2"},
    "TaskUpdated": _UPDATED,
    "TaskDeleted": _DELETED,
    "BatchDone": {"type": "batch", "results": [_CREATED, _UPDATED]},
    "Synced": {
        "type": "sync",
        "recovered": True,
        "changes": [{"seq": 2, "mode": "update", "task_id": _ID, "task": _DONE}],
        "seq": 2,
        "more": False,
    },
    "NotSynced": {"type": "sync", "recovered": False, "reason": "epoch_changed", "epoch": _EPOCH, "seq": 3},
    "Pong": {"type": "pong", "seq": 3},
    "Invalid": {
        "type": "error",
        "message": "Validation failed",
        "code": "validation",
        "mode": "create",
        "errors": {"task": ["This field is required."]},
        "id": "a2",
    },
    "Conflict": {
        "type": "error",
        "message": "The task has changed since the revision that was given.",
        "code": "conflict",
        "mode": "update",
        "task_id": _ID,
        "task": _DONE,
    },
}
