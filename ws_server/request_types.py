"""The requests that ``requests`` parses, as types, for the AsyncAPI document. Nothing is decoded into them."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from shared.api_types import (
    CreateOperation,
    DeleteOperation,
    Epoch,
    Operations,
    Ordering,
    Search,
    UpdateOperation,
)
from shared.models import Uuid
from shared.rules.queries import OFFSET_MAX, PAGE_MAX
from ws_server.requests import ID_MAX, ID_MAX_LENGTH, ID_MIN, SINCE_MAX

_Text = Annotated[str, Meta(title="text", max_length=ID_MAX_LENGTH)]
_Integer = Annotated[int, Meta(title="integer", extra_json_schema={"minimum": ID_MIN, "maximum": ID_MAX})]
Id = Annotated[
    _Text | _Integer,
    Meta(description="Named by the client; the answer repeats it.", examples=["a1"]),
]


class Auth(Struct):
    """Begins the session, or renews it. ``push: false``: only answers, no changes that others make."""

    type: Literal["auth"]
    token: Annotated[str, Meta(description="An access token.")]
    push: bool = True
    id: Id | UnsetType = UNSET


class All(Struct, tag_field="mode", tag="all"):
    """The list of tasks, oldest first. With ``limit`` or ``offset`` the answer has the ``count`` of all matches, too."""

    completed: bool | UnsetType = UNSET
    search: Search | UnsetType = UNSET
    ordering: Ordering | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] | UnsetType = UNSET
    offset: Annotated[int, Meta(ge=0, le=OFFSET_MAX)] | UnsetType = UNSET
    id: Id | UnsetType = UNSET


class Create(CreateOperation, tag_field="mode", tag="create"):
    """Makes a task."""

    id: Id | UnsetType = UNSET


class Read(Struct, tag_field="mode", tag="read"):
    """One task."""

    task_id: Uuid
    id: Id | UnsetType = UNSET


class Update(UpdateOperation, tag_field="mode", tag="update"):
    """Changes fields of a task."""

    id: Id | UnsetType = UNSET


class Delete(DeleteOperation, tag_field="mode", tag="delete"):
    """Deletes a task."""

    id: Id | UnsetType = UNSET


class Batch(Struct, tag_field="mode", tag="batch"):
    """Carries out all of the operations, in one transaction, or none."""

    ops: Operations
    id: Id | UnsetType = UNSET


class Sync(Struct, tag_field="mode", tag="sync"):
    """The changes after ``since``, at most 500. ``epoch`` and the first ``since`` are those of the auth answer."""

    epoch: Epoch
    since: Annotated[int, Meta(ge=0, le=SINCE_MAX, description="The last `seq` that the client has.")]
    id: Id | UnsetType = UNSET


class Ping(Struct, tag_field="mode", tag="ping"):
    """Asks for a sign of life, and the user's ``seq``."""

    id: Id | UnsetType = UNSET
