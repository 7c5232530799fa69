"""The rules of the fields: whatever a client sends, a clean value or an error that it may be told."""

from __future__ import annotations

import time
import unicodedata
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from shared.errors import InvalidRequest, NotFound, TaskbeamError, ValidationFailed
from shared.models import CreateTask, DeleteTask, Refused, UpdateTask
from shared.queries import ORDERING_FIELDS, clean_query
from shared.rules import (
    BATCH_MAX,
    canonical_uuid,
    clean_create,
    clean_credentials,
    clean_current_password,
    clean_new_password,
    clean_operations,
    clean_token,
    clean_update,
    clean_username,
    known_id,
    username_key,
)
from tests.shared.json_values import texts, values

UUID = "16f894b8-cb89-4672-9561-0b80cc75ae1b"
NEAR: st.SearchStrategy[object] = st.sampled_from(
    ["", " ", "a", " a ", "\0", "a\0", "x" * 255, "x" * 256, "true", "0", 0, 1, 1.5, True, None, [], {}, UUID]
)


def objects(*keys: str) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with any value under any of the keys, and with other keys too."""
    return st.fixed_dictionaries({"other": values}, optional=dict.fromkeys(keys, NEAR | values))


def assert_text(text: str, low: int, high: int) -> None:
    assert low <= len(text) <= high
    assert text == text.strip()
    assert "\0" not in text


def check_errors(failed: ValidationFailed, *fields: str) -> None:
    assert failed.errors
    assert set(failed.errors) <= set(fields)
    assert all(messages and all(messages) for messages in failed.errors.values())


def check_key(refused: InvalidRequest, *keys: str) -> None:
    assert refused.key in keys
    assert refused.detail


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


@given(objects("completed", "search", "ordering", "limit", "offset"))
def test_query_is_clean_or_names_the_bad_key(raw: dict[str, Any]) -> None:
    try:
        query = clean_query(raw)
    except InvalidRequest as refused:
        check_key(refused, "completed", "search", "ordering", "limit", "offset")
        return
    assert query.limit is None or 1 <= query.limit <= 1000
    assert 0 <= query.offset <= 2**53
    assert query.ordering
    assert all(name in ORDERING_FIELDS for name, _ in query.ordering)
    assert all(term == term.casefold() != "" for term in query.search)


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
        assert isinstance(operation, (CreateTask, UpdateTask, DeleteTask, Refused))


CLEANERS: dict[str, Callable[[dict[str, Any]], object]] = {
    "username": clean_username,
    "password": lambda data: clean_new_password(data, 8),
    "current_password": clean_current_password,
    "refresh": lambda data: clean_token(data, "refresh"),
    "credentials": clean_credentials,
}


@pytest.mark.parametrize("cleaner", CLEANERS)
@given(data=objects("username", "password", "current_password", "refresh"))
def test_accounts_fields_are_clean_or_refused(cleaner: str, data: dict[str, Any]) -> None:
    try:
        cleaned = CLEANERS[cleaner](data)
    except ValidationFailed:
        return
    assert all("\0" not in text for text in (cleaned if isinstance(cleaned, tuple) else (cleaned,)))


@given(texts)
def test_id_is_canonical_or_of_no_task(text: str) -> None:
    try:
        assert str(uuid.UUID(known_id(text))) == known_id(text)
    except NotFound:
        assert canonical_uuid(text) is None


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
def test_bad_text_is_told_in_drfs_words(value: object, message: str) -> None:
    with pytest.raises(ValidationFailed) as failed:
        clean_create({"task": value})
    assert failed.value.errors == {"task": [message]}


def test_missing_text_is_told_in_drfs_words() -> None:
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
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, error)


@given(texts)
@example("ﬀ" * 80)
@example("K\N{KELVIN SIGN}")
def test_username_is_in_nfkc_and_its_key_folds_case(text: str) -> None:
    try:
        username = clean_username({"username": text})
    except ValidationFailed:
        return
    assert username == unicodedata.normalize("NFKC", username)
    assert len(username) <= 150
    for twin in (username.upper(), username.lower(), username.casefold()):
        assume(unicodedata.is_normalized("NFKC", twin))
        assume(len(twin) <= 150)
        assert username_key(twin) == username_key(username) or twin.casefold() != username.casefold()
    key = username_key(username)
    assert key is not None
    assert len(key) > 150 or username_key(key) == key


def test_a_name_that_nobody_can_have_is_not_normalised() -> None:
    started = time.perf_counter()
    assert username_key("a" + "\u0301" * 100_000 + "\u0327" * 100_000) is None
    assert username_key("a" * 151) is None
    assert username_key("A" * 150) == "a" * 150
    with pytest.raises(ValidationFailed):
        clean_username({"username": "\u0327\u0301" * 100_000})
    assert time.perf_counter() - started < 1


def test_passwords_are_never_trimmed() -> None:
    assert clean_new_password({"password": "  eight "}, 8) == "  eight "
    assert clean_current_password({"current_password": " "}) == " "
    assert clean_credentials({"username": "a", "password": " a "}) == ("a", " a ")


@pytest.mark.parametrize(("length", "good"), [(7, False), (8, True), (128, True), (129, False)])
def test_password_has_8_to_128_characters(length: int, good: bool) -> None:
    try:
        assert clean_new_password({"password": "ü" * length}, 8) == "ü" * length
        assert good
    except ValidationFailed:
        assert not good


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
