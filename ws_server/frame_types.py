"""The frames that the server sends, as types, for the AsyncAPI document. Tests check every frame that they see."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from shared.api_types import (
    Changes,
    CreateResult,
    DeleteResult,
    Epoch,
    FieldErrors,
    NotRecovered,
    Results,
    Seq,
    UpdateResult,
)
from shared.models import Task, Time, Uuid

Id = Annotated[str | int, Meta(description="The request's, where it had one.")]
Seconds = Annotated[float, Meta(description="Seconds to wait before the next try.")]


class Authenticated(Struct, tag_field="type", tag="auth"):
    """The session has begun: every change after ``seq`` will be pushed."""

    message: Literal["Authentication successful"]
    user_id: int
    expires: Annotated[Time, Meta(description="When the token, and with it the session, ends.")]
    epoch: Epoch
    seq: Seq
    id: Id | UnsetType = UNSET


class Expiring(Struct, tag_field="type", tag="auth.expiring"):
    """The token ends soon: send an auth message with a new one."""

    seconds: Annotated[int, Meta(description="Seconds left.")] = msgspec.field(name="in")


class TaskList(Struct, tag_field="mode", tag="all"):
    """The state at ``seq``; ``count`` is the number of matches without limit and offset."""

    type: Literal["task.update"]
    task: list[Task]
    seq: Seq
    count: int | UnsetType = UNSET
    id: Id | UnsetType = UNSET


class TaskRead(Struct, tag_field="mode", tag="read"):
    """One task."""

    type: Literal["task.update"]
    task: Task
    task_id: Uuid
    id: Id | UnsetType = UNSET


class TaskCreated(CreateResult, tag_field="mode", tag="create"):
    """A task was made; or was there before, with its uuid: then nothing has changed, and there is no ``seq``."""

    id: Id | UnsetType = UNSET


class TaskUpdated(UpdateResult, tag_field="mode", tag="update"):
    """The task after the change."""

    id: Id | UnsetType = UNSET


class TaskDeleted(DeleteResult, tag_field="mode", tag="delete"):
    """A task was deleted."""

    id: Id | UnsetType = UNSET


class BatchDone(Struct, tag_field="type", tag="batch"):
    """What came of each operation, in their order."""

    results: Results
    id: Id | UnsetType = UNSET


class Synced(Changes, tag_field="type", tag="sync"):
    """Changes after a cursor. ``seq`` is that of the last one, the next ``since``; ``more``: ask again at once."""

    id: Id | UnsetType = UNSET


class NotSynced(NotRecovered, tag_field="type", tag="sync"):
    """The cursor cannot be resumed: ask for ``all``, then go on from ``epoch`` and ``seq``."""

    id: Id | UnsetType = UNSET


class Pong(Struct, tag_field="type", tag="pong"):
    """The user's ``seq`` now."""

    seq: Seq
    id: Id | UnsetType = UNSET


class Refusal(Struct, tag_field="code", kw_only=True):
    """What all errors have. ``mode``, ``task_id`` and ``id`` are the request's."""

    type: Literal["error"]
    message: str
    mode: str | UnsetType = UNSET
    task_id: str | UnsetType = UNSET
    id: Id | UnsetType = UNSET
    op: Annotated[int, Meta(description="Of a batch: the first bad operation's index.")] | UnsetType = UNSET


class InvalidJson(Refusal, tag="invalid_json", kw_only=True):
    """The message is not JSON, or has NaN, Infinity, a lone surrogate, or more than 64 levels. ``error`` says where. The connection is closed (4003)."""

    error: Annotated[str, Meta(description="What was wrong, and where.")]


class InvalidRequest(Refusal, tag="invalid_request", kw_only=True):
    """The message is no object, its mode is missing or unknown, or a key is missing or malformed."""

    detail: Annotated[str, Meta(description="The key, and what was wrong with it.")]


class Invalid(Refusal, tag="validation", kw_only=True):
    """A field of the task is bad."""

    errors: FieldErrors


class NotFound(Refusal, tag="not_found", kw_only=True):
    """The user has no such task. Another user's task is as one that does not exist."""


class Conflict(Refusal, tag="conflict", kw_only=True):
    """``rev`` is not the current one. Nothing was written."""

    task: Annotated[Task, Meta(description="The task as it is now.")]


class LimitReached(Refusal, tag="limit_reached", kw_only=True):
    """The user has as many tasks as a user may have."""

    limit: Annotated[int, Meta(description="The setting `MAX_TASKS_PER_USER`.")]


class RateLimited(Refusal, tag="rate_limited", kw_only=True):
    """Too many messages: this one was not carried out. A client that does not wait is disconnected (4029)."""

    retry_after: Seconds


class NotAuthenticated(Refusal, tag="not_authenticated", kw_only=True):
    """The first message was no auth message. The connection is closed (4001)."""


class TokenMissing(Refusal, tag="token_missing", kw_only=True):
    """An auth message without a token. The connection stays open for another."""


class TokenNotValid(Refusal, tag="token_not_valid", kw_only=True):
    """The token is invalid, expired, revoked or a refresh token. The connection is closed (4001; 4403 if the account has gone)."""


class UserMismatch(Refusal, tag="user_mismatch", kw_only=True):
    """A token of another user than the session's, which stays as it is."""


class Unavailable(Refusal, tag="unavailable", kw_only=True):
    """The database cannot be read or written now. Either nothing was written, or ``sync`` tells of it."""

    retry_after: Seconds


class Internal(Refusal, tag="internal", kw_only=True):
    """A defect of the server."""

    ref: Annotated[str, Meta(description="The server's log has the same.")]


ERRORS = (
    *(InvalidJson, InvalidRequest, Invalid, NotFound, Conflict, LimitReached, RateLimited, NotAuthenticated),
    *(TokenMissing, TokenNotValid, UserMismatch, Unavailable, Internal),
)
