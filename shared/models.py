"""Tasks, changes, users and tokens, and the operations on them."""

from __future__ import annotations

from typing import Annotated, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta

from shared.errors import TaskbeamError

CHANGES_PAGE: Final = 500

Mode = Literal["create", "update", "delete"]
Uuid = Annotated[
    str, Meta(extra_json_schema={"format": "uuid"}, examples=["16f894b8-cb89-4672-9561-0b80cc75ae1b"])
]
Time = Annotated[
    str, Meta(extra_json_schema={"format": "date-time"}, examples=["2026-11-22T11:57:25.175297Z"])
]


class Task(msgspec.Struct, frozen=True, gc=False):
    """One task, with its keys in the order in which they go over the wire.

    ``uuid`` is canonical (lower case, dashed); times are UTC, ``YYYY-MM-DDTHH:MM:SS.ffffffZ``. ``rev`` is 1 at creation, and
    one more at every change.
    """

    # A new key comes last: so it does in old rows.
    uuid: Uuid
    user_id: int
    time_created: Time
    time_modified: Time
    task: str
    description: str
    completed: bool
    rev: int


class _Revision(msgspec.Struct):
    rev: int


_decode_task = msgspec.json.Decoder(Task).decode
_decode_revision = msgspec.json.Decoder(_Revision).decode


class StoredTask(msgspec.Struct, frozen=True, gc=False):
    """A task as it is kept and sent: ``json`` is its JSON, encoded once when it was written."""

    uuid: str
    json: bytes

    @property
    def rev(self) -> int:
        return _decode_revision(self.json).rev

    def decode(self) -> Task:
        return _decode_task(self.json)


class Change(msgspec.Struct, frozen=True, gc=False):
    """One row of the change log.

    ``seq`` counts one user's changes, gapless from 1. ``task`` is the task's JSON after the change,
    ``None`` after a delete. ``write_id`` says which request made it (see ``ws_server.hub``);
    no client sees it.
    """

    user_id: int
    seq: int
    mode: Mode
    task_id: str
    task: bytes | None
    write_id: int | None = None


class Revocation(NamedTuple):
    """The end of a token family, or with ``sid`` ``None`` of all tokens of a user."""

    user_id: int
    sid: str | None


class User(msgspec.Struct, frozen=True):
    """An account. ``username`` is in NFKC; ``password`` is an encoded hash, see ``shared.auth.password_hashes``."""

    id: int
    username: str
    password: str
    is_active: bool
    date_joined: str


class Bearer(NamedTuple):
    """Who asks with an access token: its user, its family, and the requester's address.

    ``address`` is an IPv4 address or an IPv6 network of 64 bits.
    """

    user: User
    sid: str | None
    address: str


# What a field may hold, after it was trimmed. `shared.rules.tasks` makes the rules of these.
TASK_MAX_LENGTH: Final = 255
DESCRIPTION_MAX_LENGTH: Final = 10_000
TaskText = Annotated[
    str, Meta(min_length=1, max_length=TASK_MAX_LENGTH, pattern=r"^[^\x00]*[^\s\x00][^\x00]*$")
]
Description = Annotated[str, Meta(max_length=DESCRIPTION_MAX_LENGTH, pattern=r"^[^\x00]*$")]


class CreateTask(msgspec.Struct, frozen=True, gc=False):
    """``uuid`` is ``None`` where the client gave none; the rest are the fields that clients write.

    They are declared here: type, limits and default.
    """

    uuid: str | None
    task: TaskText
    description: Description = ""
    completed: bool = False

    def made(self, uuid: str, user_id: int, time: str) -> Task:
        """The task that comes of it."""
        return Task(
            uuid,
            user_id,
            time,
            time,
            self.task,
            self.description,
            self.completed,
            rev=1,
        )


class UpdateTask(msgspec.Struct, frozen=True, gc=False):
    """``None`` keeps a field's value; ``rev`` is the revision that the caller expects, if any."""

    uuid: str
    task: TaskText | None = None
    description: Description | None = None
    completed: bool | None = None
    rev: int | None = None

    def applied(self, old: Task, time: str) -> Task:
        """The task that comes of it; ``time`` is the one of the change."""
        return Task(
            old.uuid,
            old.user_id,
            old.time_created,
            time,
            old.task if self.task is None else self.task,
            old.description if self.description is None else self.description,
            old.completed if self.completed is None else self.completed,
            old.rev + 1,
        )


class DeleteTask(msgspec.Struct, frozen=True, gc=False):
    """``rev`` is the revision that the caller expects, if any."""

    uuid: str
    rev: int | None = None


class ImportTask(msgspec.Struct, frozen=True, gc=False):
    """A task from another system, with the times that it has there, in microseconds since the Unix epoch."""

    task: CreateTask
    time_created: int
    time_modified: int

    @property
    def uuid(self) -> str | None:
        return self.task.uuid


class RefusedOperation(msgspec.Struct, frozen=True):
    """Stands in a batch for an operation that was found bad before the database was asked.

    An earlier operation may yet turn out to be bad there, and would come first.
    """

    error: TaskbeamError


Write = CreateTask | UpdateTask | DeleteTask | ImportTask
Operation = Write | RefusedOperation
"""One of a batch."""


class Written(msgspec.Struct, frozen=True, gc=False):
    """What came of one operation: ``task`` is the task after it (before it, for a delete).

    ``change`` is ``None`` for a create or import whose uuid the user already had: nothing was written.
    """

    task: StoredTask
    change: Change | None


class TaskQuery(msgspec.Struct, frozen=True):
    """Which tasks, in which order. ``ordering`` holds pairs of a field and whether it descends."""

    completed: bool | None = None
    search: tuple[str, ...] = ()
    ordering: tuple[tuple[str, bool], ...] = (("time_created", False),)
    limit: int | None = None
    offset: int = 0


class TaskPage(msgspec.Struct, frozen=True):
    """The state at ``seq``: ``json`` is the list of tasks, ``count`` the number of matches without limit and offset."""

    json: bytes
    count: int
    seq: int


class ChangePage(msgspec.Struct, frozen=True):
    """Changes after a cursor, or, with ``reason``, why there can be none."""

    changes: list[Change]
    seq: int
    more: bool
    reason: Literal["epoch_changed", "seq_unknown", "history_gone"] | None = None


class Token(msgspec.Struct, frozen=True):
    """A verified token. Times are Unix seconds; ``sid`` is the family, ``None`` on simplejwt's own."""

    token_type: str
    user_id: int
    jti: str
    iat: int
    exp: int
    sid: str | None
