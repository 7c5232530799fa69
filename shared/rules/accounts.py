"""The rules of an account's fields: usernames, passwords and tokens."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Final

from shared.rules.fields import Check, clean_fields, clean_text, no_longer_than

USERNAME_MAX_LENGTH: Final = 150
PASSWORD_MAX_LENGTH: Final = 128
USERNAME_TAKEN: Final = "A user with that username already exists."
USERNAME_INVALID: Final = (
    "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters."
)
# A password or name that is only compared is cut one character above what can be right: it waits in memory for its turn.
_COMPARED_PASSWORD_MAX_LENGTH: Final = (
    4096  # hashes that were brought from another system may be of longer passwords
)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_USERNAME: Final = re.compile(r"[\w.@+-]+")  # Django's UnicodeUsernameValidator


def username_key(username: str) -> str | None:
    """The form in which usernames are compared: NFKC, then case-folded, then NFKC again (UTS #39).

    ``None`` for what can be no account's name: a text with lone surrogates, as the command line has for bytes that are not
    UTF-8, or one that is too long. It is not even normalised, which is quadratic in combining characters (CPython issue
    149079).
    """
    if len(username) > USERNAME_MAX_LENGTH or _SURROGATE.search(username):
        return None
    normal = unicodedata.normalize("NFKC", username)
    return unicodedata.normalize("NFKC", normal.casefold())


def clean_username(data: Mapping[str, object]) -> str:
    """A new account's name, in NFKC. Raises ValidationFailed."""
    username: str = clean_fields(data, {"username": _new_username}, ("username",))["username"]
    return username


def clean_new_password(data: Mapping[str, object], min_length: int) -> str:
    """A password to be set. Raises ValidationFailed."""
    checks = (_no_shorter_password_than(min_length), no_longer_than(PASSWORD_MAX_LENGTH))

    def new_password(value: object) -> str:
        return clean_text(value, *checks, trim=False)

    password: str = clean_fields(data, {"password": new_password}, ("password",))["password"]
    return password


def clean_credentials(data: Mapping[str, object]) -> tuple[str, str]:
    """Username as given and password, to be compared. Raises ValidationFailed."""
    rules = {"username": _compared_username, "password": _compared_password}
    cleaned = clean_fields(data, rules, ("username", "password"))
    return cleaned["username"], cleaned["password"]


def clean_current_password(data: Mapping[str, object]) -> str:
    """Raises ValidationFailed."""
    rules = {"current_password": _compared_password}
    password: str = clean_fields(data, rules, ("current_password",))["current_password"]
    return password


def clean_token(data: Mapping[str, object], key: str) -> str:
    """The token under ``key``. Raises ValidationFailed."""
    token: str = clean_fields(data, {key: clean_text}, (key,))[key]
    return token


def _new_username(value: object) -> str:
    """The name is checked again in NFKC, where it may be longer and hold other characters."""
    checks = (_valid_username, no_longer_than(USERNAME_MAX_LENGTH))
    return clean_text(unicodedata.normalize("NFKC", clean_text(value, *checks)), *checks)


def _valid_username(text: str) -> str | None:
    return None if _USERNAME.fullmatch(text) else USERNAME_INVALID


def _no_shorter_password_than(length: int) -> Check:
    """Django's MinimumLengthValidator."""
    message = f"This password is too short. It must contain at least {length} characters."

    def check(text: str) -> str | None:
        return message if len(text) < length else None

    return check


def _compared_username(value: object) -> str:
    return clean_text(value)[: USERNAME_MAX_LENGTH + 1]


def _compared_password(value: object) -> str:
    """Never trimmed: spaces count."""
    return clean_text(value, trim=False)[: _COMPARED_PASSWORD_MAX_LENGTH + 1]
