"""What clients send and get over either transport, as types: the documents of the API are made of them.

Nothing is decoded into them. Tests hold them against ``shared.rules``, which reads requests, and ``shared.wire``, which
writes answers.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from shared.json_schema import COMPONENT
from shared.models import CHANGES_PAGE, CreateTask, Mode, Task, Uuid
from shared.rules.queries import ORDERING_FIELDS
from shared.rules.requests import BATCH_MAX
from shared.rules.search_terms import SEARCH_MAX_LENGTH

Epoch = Annotated[str, Meta(description="Changes when the database is restored.", examples=["k3Jd9f0a"])]
Seq = Annotated[
    int,
    Meta(description="Counts the changes of the user, gapless from 1.", extra_json_schema={"minimum": 0}),
]
Rev = Annotated[
    int, Meta(description="Only if the task still has this revision.", extra_json_schema={"minimum": 1})
]
True_ = Annotated[bool, Meta(extra_json_schema={"const": True})]
False_ = Annotated[bool, Meta(extra_json_schema={"const": False})]

_FIELD: Final = f"-?({'|'.join(ORDERING_FIELDS)})"
Ordering = Annotated[
    str,
    Meta(
        pattern=f"^{_FIELD}(,{_FIELD}){{0,{len(ORDERING_FIELDS) - 1}}}$",
        description="Fields with commas between, with `-` for descending.",
        examples=["-time_modified"],
    ),
]
Search = Annotated[
    str,
    Meta(
        max_length=SEARCH_MAX_LENGTH,
        description='Words and "quoted phrases" that must all be in the task or its description, in any case.',
        examples=["milk"],
    ),
]

_FIELDS: Final = [field for field in msgspec.structs.fields(CreateTask) if field.name != "uuid"]


def _to_be_made(field: msgspec.structs.FieldInfo) -> tuple[Any, ...]:
    """What ``defstruct`` takes: the type and, unless the field is required, that it may be left out.

    Generators of TypeScript take a property with a ``default`` for one that is always there, so a sentence says it.
    """
    if field.required:
        return (field.type,)
    default = Meta(description=f"If left out: `{msgspec.json.encode(field.default).decode()}`.")
    return Annotated[field.type, default] | UnsetType, UNSET


NewTask: Final = msgspec.defstruct(
    "NewTask",
    [
        *((field.name, *_to_be_made(field)) for field in _FIELDS),
        ("uuid", Uuid | None | UnsetType, UNSET),
    ],
    kw_only=True,
    namespace={
        "__doc__": "A task to be made. It may bring its own uuid: made twice, it is there once. Other keys are ignored."
    },
)
TaskUpdate: Final = msgspec.defstruct(
    "TaskUpdate",
    [(field.name, field.type | UnsetType, UNSET) for field in _FIELDS],
    kw_only=True,
    namespace={
        "__doc__": "What is to change of a task. Keys left out keep their value. Other keys are ignored."
    },
)


class CreateOperation(Struct, tag_field="mode", tag="create"):
    """Makes a task."""

    data: NewTask  # type: ignore[valid-type]


class UpdateOperation(Struct, tag_field="mode", tag="update"):
    """Changes fields of a task."""

    task_id: Uuid
    data: TaskUpdate  # type: ignore[valid-type]
    rev: Rev | UnsetType | None = UNSET


class DeleteOperation(Struct, tag_field="mode", tag="delete"):
    """Deletes a task."""

    task_id: Uuid
    rev: Rev | UnsetType | None = UNSET


Operations = Annotated[
    list[CreateOperation | UpdateOperation | DeleteOperation], Meta(min_length=1, max_length=BATCH_MAX)
]


class CreateResult(Struct, tag_field="mode", tag="create"):
    """A task was made; or was there before, with its uuid: then nothing has changed, and there is no ``seq``."""

    type: Literal["task.update"]
    task: Task
    task_id: Uuid
    seq: Seq | UnsetType = UNSET
    replayed: True_ | UnsetType = UNSET


class UpdateResult(Struct, tag_field="mode", tag="update"):
    """The task after the change."""

    type: Literal["task.update"]
    task: Task
    task_id: Uuid
    seq: Seq


class Deleted(Struct):
    """Stands for a task that is no more."""

    message: Literal["Task deleted!"]


class DeleteResult(Struct, tag_field="mode", tag="delete"):
    """A task was deleted."""

    type: Literal["task.update"]
    task: Deleted
    task_id: Uuid
    seq: Seq


Results = list[CreateResult | UpdateResult | DeleteResult]


class TaskChange(Struct):
    """One entry of the change log: the task after it, ``null`` after a delete."""

    seq: Seq
    mode: Mode
    task_id: Uuid
    task: Task | None


class Changes(Struct):
    """Changes after a cursor. ``seq`` is that of the last one, the next ``since``; ``more``: ask again at once."""

    recovered: True_
    changes: Annotated[list[TaskChange], Meta(max_length=CHANGES_PAGE)]
    seq: Seq
    more: bool


class NotRecovered(Struct):
    """The cursor cannot be resumed: read the list of tasks again, then go on from ``epoch`` and ``seq``."""

    recovered: False_
    reason: Literal["epoch_changed", "seq_unknown", "history_gone"]
    epoch: Epoch
    seq: Seq


FieldErrors = Annotated[
    dict[str, list[str]],
    Meta(
        description="What is wrong, in sentences, by the name of the field or parameter; `non_field_errors` for all of it.",
        examples=[{"task": ["This field is required."]}],
        extra_json_schema={COMPONENT: "FieldErrors"},
    ),
]
