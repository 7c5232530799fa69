"""The rules of texts, booleans and UUIDs, tried on the fields of a task."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ValidationFailed
from shared.rules.fields import canonical_uuid
from shared.rules.tasks import clean_create
from tests.shared.rules.objects import UUID


@given(st.uuids())
def test_id_is_taken_upper_case_and_undashed(made: uuid.UUID) -> None:
    for text in (str(made), str(made).upper(), made.hex, made.hex.upper()):
        assert canonical_uuid(text) == str(made)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x" * 32,
        UUID[:-1],
        UUID + "0",
        UUID + "\n",
        "0x" + "1" * 30,
        "+" + "1" * 31,
        " " + "1" * 31,
        "1_" * 15 + "11",
        "\uff11" * 32,
        "\ud800" * 32,
    ],
    ids=ascii,
)
def test_id_that_is_no_uuid_is_none(text: str) -> None:
    """Also what Python's ``int`` takes for digits, and no other program does."""
    assert canonical_uuid(text) is None


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "This field may not be null."),
        ("", "This field may not be blank."),
        (" \t\n\u2003", "This field may not be blank."),
        ("x" * 256, "Ensure this field has no more than 255 characters."),
        ("a\0b", "Null characters are not allowed."),
        (True, "Not a valid string."),
        ([], "Not a valid string."),
        ({}, "Not a valid string."),
        (10**5000, "Not a valid string."),
    ],
    ids=lambda value: type(value).__name__,
)
def test_bad_text_is_refused_with_drfs_messages(value: object, message: str) -> None:
    with pytest.raises(ValidationFailed) as failed:
        clean_create({"task": value})
    assert failed.value.errors == {"task": [message]}


def test_missing_text_is_refused_with_drfs_messages() -> None:
    with pytest.raises(ValidationFailed) as failed:
        clean_create({"completed": "perhaps"})
    assert failed.value.errors == {
        "task": ["This field is required."],
        "completed": ["Must be a valid boolean."],
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [("  a b ", "a b"), ("x" * 255, "x" * 255), (" " + "x" * 255, "x" * 255), (5, "5"), (1.5, "1.5")],
)
def test_text_is_trimmed_and_numbers_become_text(value: object, text: str) -> None:
    assert clean_create({"task": value}).task == text


def test_length_is_counted_in_characters() -> None:
    assert len(clean_create({"task": "\N{PILE OF POO}" * 255}).task) == 255


@pytest.mark.parametrize("value", [True, 1, 1.0, "true", "True", "1", "on", "Yes", "t"])
def test_spellings_of_true(value: object) -> None:
    assert clean_create({"task": "a", "completed": value}).completed is True


@pytest.mark.parametrize("value", [False, 0, 0.0, "false", "FALSE", "0", "off", "no", "f"])
def test_spellings_of_false(value: object) -> None:
    assert clean_create({"task": "a", "completed": value}).completed is False
