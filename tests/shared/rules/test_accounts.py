"""The rules of an account's fields: whatever a client sends, a clean value or an error that it may be told."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, example, given

from shared.errors import ValidationFailed
from shared.rules.accounts import (
    clean_credentials,
    clean_current_password,
    clean_new_password,
    clean_token,
    clean_username,
    username_key,
)
from tests.shared.json_values import texts
from tests.shared.rules.objects import objects

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


def test_an_impossible_name_is_not_normalised() -> None:
    started = time.perf_counter()
    assert username_key("a" + "\u0301" * 100_000 + "\u0327" * 100_000) is None
    assert username_key("a" * 151) is None
    assert username_key("ann\udcff") is None
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
