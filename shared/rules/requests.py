"""What a request to create, update or delete tasks must be, made into the operations of ``shared.models``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec.inspect
import msgspec.structs

from shared.errors import InvalidRequest, NotFound, TaskbeamError
from shared.models import (
    DESCRIPTION_MAX_LENGTH,
    TASK_MAX_LENGTH,
    CreateTask,
    DeleteTask,
    Operation,
    RefusedOperation,
    UpdateTask,
)
from shared.rules.fields import Rule, canonical_uuid, clean_boolean, clean_fields, clean_uuid, text_up_to

BATCH_MAX: Final = 100


def _rule(declared: object) -> Rule:
    """The rule of a field that is declared with this type."""
    match msgspec.inspect.type_info(declared):
        case msgspec.inspect.StrType(min_length=least, max_length=int(most)):
            return text_up_to(most, allow_blank=not least)
        case msgspec.inspect.BoolType():
            return clean_boolean
    raise NotImplementedError(declared)


_FIELDS: Final = [field for field in msgspec.structs.fields(CreateTask) if field.name != "uuid"]

TASK_RULES: Final[Mapping[str, Rule]] = {field.name: _rule(field.type) for field in _FIELDS}
"""The fields that clients write, as ``CreateTask`` declares them, with their rules."""

_CREATE_RULES: Final = {**TASK_RULES, "uuid": clean_uuid}
_REQUIRED: Final = frozenset(field.name for field in _FIELDS if field.required)
_COMMON_KEYS: Final = frozenset({"task", "description", "completed"})


def clean_create(data: Mapping[str, object]) -> CreateTask:
    """Raises ValidationFailed."""
    task, description, completed = data.get("task"), data.get("description", ""), data.get("completed", False)
    if (
        isinstance(task, str)
        and isinstance(description, str)
        and isinstance(completed, bool)
        and data.keys() <= _COMMON_KEYS
    ):
        # The short way for nearly every request: the same rules, looked at once.
        task, description = task.strip(), description.strip()
        if (
            0 < len(task) <= TASK_MAX_LENGTH
            and len(description) <= DESCRIPTION_MAX_LENGTH
            and "\0" not in task
            and "\0" not in description
        ):
            return CreateTask(None, task, description, completed)
    if data.get("uuid", "") is None:  # a client that serialises "none yet" as null
        data = {key: value for key, value in data.items() if key != "uuid"}
    cleaned = clean_fields(data, _CREATE_RULES, _REQUIRED)
    return CreateTask(cleaned.pop("uuid", None), **cleaned)


def clean_update(task_id: str, data: Mapping[str, object], rev: int | None) -> UpdateTask:
    """Raises ValidationFailed."""
    return UpdateTask(task_id, rev=rev, **clean_fields(data, TASK_RULES))


def clean_operations(raw: object) -> list[Operation]:
    """Raises InvalidRequest when it is no list of 1 to 100."""
    if not isinstance(raw, list) or not 1 <= len(raw) <= BATCH_MAX:
        raise InvalidRequest(f"Must be a list of 1 to {BATCH_MAX} operations.", key="ops")
    return [_clean_operation(item) for item in raw]


def _clean_operation(raw: object) -> Operation:
    """One operation of a batch; a bad one comes back as ``RefusedOperation``, with what is wrong."""
    try:
        if not isinstance(raw, dict):
            raise InvalidRequest("Must be a list of JSON objects.", key="ops")
        mode = raw.get("mode")
        if mode == "create":
            return clean_create(request_data(raw))
        if mode == "update":
            return clean_update(canonical_task_id(request_task_id(raw)), request_data(raw), request_rev(raw))
        if mode == "delete":
            return DeleteTask(canonical_task_id(request_task_id(raw)), request_rev(raw))
        raise InvalidRequest("Must be one of create, update, delete.", key="mode")
    except TaskbeamError as error:
        return RefusedOperation(error)


def request_data(raw: Mapping[str, object]) -> dict[str, object]:
    """The ``data`` of a request. Raises InvalidRequest."""
    data = raw.get("data")
    if not isinstance(data, dict):
        raise InvalidRequest("Must be a JSON object.", key="data")
    return data


def request_task_id(raw: Mapping[str, object]) -> str:
    """The ``task_id`` of a request, as it was given. Raises InvalidRequest."""
    task_id = raw.get("task_id")
    if not isinstance(task_id, str):
        raise InvalidRequest("Must be a string.", key="task_id")
    return task_id


def request_rev(raw: Mapping[str, object]) -> int | None:
    """The ``rev`` of a request, if it has one. Raises InvalidRequest."""
    rev = raw.get("rev")
    if rev is not None and (isinstance(rev, bool) or not isinstance(rev, int)):
        raise InvalidRequest("Must be an integer.", key="rev")
    return rev


def canonical_task_id(task_id: str) -> str:
    """The canonical form. Raises NotFound for a text that is no UUID: no task has such an id."""
    canonical = canonical_uuid(task_id)
    if canonical is None:
        raise NotFound
    return canonical
