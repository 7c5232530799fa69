"""What a request for tasks must be, and what a batch is made into: the operations of ``shared.models``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.errors import InvalidRequest, NotFound, TaskbeamError
from shared.models import DeleteTask, Operation, RefusedOperation
from shared.rules.fields import as_integer, canonical_uuid
from shared.rules.tasks import clean_create, clean_update

BATCH_MAX: Final = 100


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
    rev = as_integer(raw.get("rev"))
    if rev is not None and (isinstance(rev, bool) or not isinstance(rev, int)):
        raise InvalidRequest("Must be an integer.", key="rev")
    return rev


def canonical_task_id(task_id: str) -> str:
    """The canonical form. Raises NotFound for a text that is no UUID: no task has such an id."""
    canonical = canonical_uuid(task_id)
    if canonical is None:
        raise NotFound
    return canonical
