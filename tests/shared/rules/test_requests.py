"""Requests for tasks: whatever a client sends, an operation or an error that it may be told."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidRequest, NotFound, TaskbeamError, ValidationFailed
from shared.models import CreateTask, DeleteTask, RefusedOperation, UpdateTask
from shared.rules.fields import canonical_uuid
from shared.rules.requests import BATCH_MAX, canonical_task_id, clean_operations
from tests.shared.json_values import texts, values
from tests.shared.rules.objects import UUID, check_key, objects


@given(st.lists(objects("mode", "task_id", "data", "rev") | values, max_size=5) | values)
def test_operations_are_clean_or_refused_each_for_itself(raw: object) -> None:
    try:
        operations = clean_operations(raw)
    except InvalidRequest as refused:
        check_key(refused, "ops")
        return
    assert isinstance(raw, list)
    assert len(operations) == len(raw)
    for operation in operations:
        assert isinstance(operation, (CreateTask, UpdateTask, DeleteTask, RefusedOperation))


@given(texts)
def test_id_is_canonical_or_of_no_task(text: str) -> None:
    try:
        assert str(uuid.UUID(canonical_task_id(text))) == canonical_task_id(text)
    except NotFound:
        assert canonical_uuid(text) is None


@pytest.mark.parametrize("count", [0, BATCH_MAX + 1])
def test_batch_has_one_to_a_hundred_operations(count: int) -> None:
    with pytest.raises(InvalidRequest):
        clean_operations([{"mode": "create", "data": {"task": "a"}}] * count)
    assert len(clean_operations([{}] * BATCH_MAX)) == BATCH_MAX


@pytest.mark.parametrize(
    ("operation", "error"),
    [
        (5, InvalidRequest),
        ({"mode": "read", "task_id": UUID}, InvalidRequest),
        ({"mode": "create"}, InvalidRequest),
        ({"mode": "create", "data": {}}, ValidationFailed),
        ({"mode": "update", "task_id": 5, "data": {}}, InvalidRequest),
        ({"mode": "update", "task_id": "none", "data": {}}, NotFound),
        ({"mode": "delete", "task_id": UUID, "rev": "1"}, InvalidRequest),
        ({"mode": "delete", "task_id": UUID, "rev": True}, InvalidRequest),
    ],
)
def test_bad_operation_of_a_batch_is_refused_with_its_reason(
    operation: object, error: type[TaskbeamError]
) -> None:
    [refused] = clean_operations([operation])
    assert isinstance(refused, RefusedOperation)
    assert isinstance(refused.error, error)
