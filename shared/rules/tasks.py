"""The rules of a task's fields, made from their declarations in ``shared.models``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec.inspect
import msgspec.structs

from shared.models import DESCRIPTION_MAX_LENGTH, TASK_MAX_LENGTH, CreateTask, UpdateTask
from shared.rules.fields import FieldError, Rule, clean_boolean, clean_fields, clean_uuid, text_up_to


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


def _takes_blank(rule: Rule) -> bool:
    try:
        rule("")
    except FieldError:
        return False
    return True


BLANK_IS_ABSENT: Final = frozenset(
    name for name, rule in _CREATE_RULES.items() if name not in _REQUIRED and not _takes_blank(rule)
)
"""Fields that may be left out and cannot be blank: a form, which cannot leave a field out, sends them blank."""

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
