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


def _error(code: str, message: str, **more: object) -> dict[str, object]:
    return {"type": "error", "message": message, "code": code, **more}


EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "Auth": {"type": "auth", "token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.c2lnbmF0dXJl"},
    "All": {"mode": "all", "completed": False, "ordering": "-time_modified", "limit": 50, "id": "a1"},
    "Create": {"mode": "create", "data": {"task": "Buy milk", "description": "2 litres"}, "id": "a2"},
    "Read": {"mode": "read", "task_id": _ID, "id": "a3"},
    "Update": {"mode": "update", "task_id": _ID, "data": {"completed": True}, "rev": 1, "id": "a4"},
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
    "TaskRead": {"type": "task.update", "mode": "read", "task": _TASK, "task_id": _ID, "id": "a3"},
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
    "InvalidJson": _error(
        "invalid_json",
        "Invalid JSON",
        error="Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
    ),
    "InvalidRequest": _error(
        "invalid_request", "Invalid JSON DATA", mode="read", detail="task_id: Must be a string.", id="a3"
    ),
    "Invalid": _error(
        "validation",
        "Validation failed",
        mode="create",
        errors={"task": ["This field is required."]},
        id="a2",
    ),
    "NotFound": _error("not_found", "Task not Found!", mode="read", task_id=_ID, id="a3"),
    "Conflict": _error(
        "conflict",
        "The task has changed since the revision that was given.",
        mode="update",
        task_id=_ID,
        task=_DONE,
        id="a4",
    ),
    "LimitReached": _error(
        "limit_reached", "You cannot have more than 10000 tasks.", mode="create", limit=10_000, id="a2"
    ),
    "RateLimited": _error("rate_limited", "Too many requests.", mode="ping", retry_after=0.125),
    "NotAuthenticated": _error("not_authenticated", "Not authenticated", mode="all"),
    "TokenMissing": _error("token_missing", "JWT Token Not Found"),
    "TokenNotValid": _error("token_not_valid", "Token Invalid"),
    "UserMismatch": _error("user_mismatch", "The token belongs to another user."),
    "Unavailable": _error(
        "unavailable",
        "The service is temporarily unavailable, try again later.",
        mode="create",
        retry_after=2,
        id="a2",
    ),
    "Internal": _error("internal", "Internal server error.", mode="all", ref="5f0c1d8e9a7b4c32", id="a1"),
}
