"""The fields of a task: whatever a client sends, clean values or the fields that are bad."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given

from shared.errors import ValidationFailed
from shared.models import CreateTask, UpdateTask
from shared.rules.tasks import clean_create, clean_update
from tests.shared.rules.objects import UUID, objects


def assert_text(text: str, low: int, high: int) -> None:
    assert low <= len(text) <= high
    assert text == text.strip()
    assert "\0" not in text


def check_errors(failed: ValidationFailed, *fields: str) -> None:
    assert failed.errors
    assert set(failed.errors) <= set(fields)
    assert all(messages and all(messages) for messages in failed.errors.values())


@given(objects("task", "description", "completed", "uuid"))
def test_create_is_clean_or_says_which_fields_are_bad(data: dict[str, Any]) -> None:
    try:
        created = clean_create(data)
    except ValidationFailed as failed:
        check_errors(failed, "task", "description", "completed", "uuid")
        return
    assert_text(created.task, 1, 255)
    assert_text(created.description, 0, 10_000)
    assert isinstance(created.completed, bool)
    assert created.uuid is None or str(uuid.UUID(created.uuid)) == created.uuid


@given(objects("task", "description", "completed", "uuid", "rev"))
def test_update_is_clean_or_says_which_fields_are_bad(data: dict[str, Any]) -> None:
    try:
        updated = clean_update(UUID, data, 5)
    except ValidationFailed as failed:
        check_errors(failed, "task", "description", "completed")
        return
    assert (updated.uuid, updated.rev) == (UUID, 5)
    given_fields = {name for name in ("task", "description", "completed") if name in data}
    assert {
        name for name in ("task", "description", "completed") if getattr(updated, name) is not None
    } == given_fields
    if updated.task is not None:
        assert_text(updated.task, 1, 255)
    if updated.description is not None:
        assert_text(updated.description, 0, 10_000)


@given(objects("task", "description", "completed"))
def test_create_is_cleaned_as_an_update_of_the_same_fields(data: dict[str, Any]) -> None:
    """Most are good at one look; what that look lets through is what the rules make of each field."""
    assume("task" in data)

    def outcome(clean: Callable[[], CreateTask | UpdateTask]) -> object:
        try:
            cleaned = clean()
        except ValidationFailed as failed:
            return failed.errors
        return cleaned.task, cleaned.description or "", cleaned.completed or False

    assert outcome(lambda: clean_create(data)) == outcome(lambda: clean_update(UUID, data, None))


@pytest.mark.parametrize("field", ["task", "description"])
@pytest.mark.parametrize("bad", ["a\0", "x" * 10_001])
def test_bad_text_beside_good_fields_is_found(field: str, bad: str) -> None:
    with pytest.raises(ValidationFailed) as failed:
        clean_create({"task": "good", "description": "good", field: bad})
    check_errors(failed.value, field)
