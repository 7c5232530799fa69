"""The rules of what clients send: fields and requests, checked and made into models.

The rules of fields and their texts are those of Django REST Framework's serializer fields, so that
clients written against the original see the same answers. All functions are pure.
"""

from __future__ import annotations

import re
import unicodedata
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from shared.errors import InvalidRequest, NotFound, TaskbeamError, ValidationFailed
from shared.models import CreateTask, DeleteTask, Operation, Refused, UpdateTask

TASK_MAX_LENGTH: Final = 255
DESCRIPTION_MAX_LENGTH: Final = 10_000
USERNAME_MAX_LENGTH: Final = 150
PASSWORD_MAX_LENGTH: Final = 128
# Of what is only compared, one character more than can be right is kept: it waits for its turn in memory.
_SECRET_MAX_LENGTH: Final = 4096  # passwords of another system's, whose hashes were brought
USERNAME_TAKEN: Final = "A user with that username already exists."
BATCH_MAX: Final = 100

# DRF's BooleanField: the spellings that it takes, in any case.
_TRUE: Final = frozenset({"t", "y", "yes", "true", "on", "1"})
_FALSE: Final = frozenset({"f", "n", "no", "false", "off", "0"})
_HEX_32: Final = re.compile(r"[0-9a-fA-F]{32}")
_CANONICAL: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_USERNAME: Final = re.compile(r"[\w.@+-]+")  # Django's UnicodeUsernameValidator


class _Bad(ValueError):
    """One field's messages."""

    def __init__(self, *messages: str) -> None:
        super().__init__(*messages)
        self.messages = list(messages)


def canonical_uuid(text: str) -> str | None:
    """The lower-case dashed form, or ``None`` where the text is no UUID.

    Takes what Python's ``uuid.UUID`` does, and so Django: any case, no dashes, braces, a URN.
    """
    if _CANONICAL.fullmatch(text):
        return text
    digits = text.removeprefix("urn:").removeprefix("uuid:").strip("{}").replace("-", "")
    return str(uuid.UUID(digits)) if _HEX_32.fullmatch(digits) else None


def username_key(username: str) -> str | None:
    """The form in which usernames are compared: NFKC, then case-folded, then NFKC again (UTS #39).

    ``None`` for a name that nobody can have. It is not even normalised, which is quadratic in combining characters
    (CPython issue 149079).
    """
    if len(username) > USERNAME_MAX_LENGTH:
        return None
    normal = unicodedata.normalize("NFKC", username)
    return unicodedata.normalize("NFKC", normal.casefold())


_Check = Callable[[str], str | None]
"""What is wrong with a text, if anything."""


def _no_longer_than(length: int) -> _Check:
    message = f"Ensure this field has no more than {length} characters."
    return lambda text: message if len(text) > length else None


def _no_shorter_password_than(length: int) -> _Check:
    message = f"This password is too short. It must contain at least {length} characters."
    return lambda text: message if len(text) < length else None


def _good_username(text: str) -> str | None:
    message = (
        "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters."
    )
    return None if _USERNAME.fullmatch(text) else message


def _as_text(value: object) -> str:
    if value is None:
        raise _Bad("This field may not be null.")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _Bad("Not a valid string.")
    try:
        return str(value)
    except ValueError:  # an integer of more digits than Python turns into text
        raise _Bad("Not a valid string.") from None


def _text(value: object, *checks: _Check, allow_blank: bool = False, trim: bool = True) -> str:
    """DRF's CharField."""
    text = value if isinstance(value, str) else _as_text(value)
    if trim:
        text = text.strip()
    if not text:
        if allow_blank:
            return ""
        raise _Bad("This field may not be blank.")
    messages = [message for check in checks if (message := check(text)) is not None]
    if "\0" in text:
        messages.append("Null characters are not allowed.")
    if messages:
        raise _Bad(*messages)
    return text


def boolean(value: object) -> bool:
    """DRF's BooleanField. Raises ValueError, with what is wrong as its text."""
    if value is None:
        raise _Bad("This field may not be null.")
    if isinstance(value, str):
        if value.lower() in _TRUE:
            return True
        if value.lower() in _FALSE:
            return False
    elif isinstance(value, (bool, int, float)) and value in (0, 1):
        return bool(value)
    raise _Bad("Must be a valid boolean.")


def _client_uuid(value: object) -> str:
    canonical = canonical_uuid(value) if isinstance(value, str) else None
    if canonical is None:
        raise _Bad("Must be a valid UUID.")
    return canonical


def _text_up_to(length: int, *, allow_blank: bool = False) -> Callable[[object], str]:
    """As ``_text``, with one look at what is good, as nearly everything is."""
    check = _no_longer_than(length)

    def clean(value: object) -> str:
        if isinstance(value, str):
            text = value.strip()
            if len(text) <= length and (text or allow_blank) and "\0" not in text:
                return text
        return _text(value, check, allow_blank=allow_blank)

    return clean


_task = _text_up_to(TASK_MAX_LENGTH)
_description = _text_up_to(DESCRIPTION_MAX_LENGTH, allow_blank=True)


def _username(value: object) -> str:
    """In NFKC, which must be as good a name as what was typed: it may be longer, and hold other characters."""
    checks = (_good_username, _no_longer_than(USERNAME_MAX_LENGTH))
    return _text(unicodedata.normalize("NFKC", _text(value, *checks)), *checks)


def _name(value: object) -> str:
    """A name to be looked up."""
    return _text(value)[: USERNAME_MAX_LENGTH + 1]


def _secret(value: object) -> str:
    """A password as it was typed: never trimmed, because spaces count."""
    return _text(value, trim=False)[: _SECRET_MAX_LENGTH + 1]


_Rule = Callable[[object], Any]


def _clean(
    data: Mapping[str, object], rules: Mapping[str, _Rule], required: Sequence[str] = ()
) -> dict[str, Any]:
    """Apply the rules to the keys that are there; unknown keys are ignored.

    Raises:
        ValidationFailed: with the messages of all bad fields at once.
    """
    cleaned: dict[str, Any] = {}
    errors: dict[str, list[str]] = {}
    for name, rule in rules.items():
        if name in data:
            try:
                cleaned[name] = rule(data[name])
            except _Bad as bad:
                errors[name] = bad.messages
        elif name in required:
            errors[name] = ["This field is required."]
    if errors:
        raise ValidationFailed(errors)
    return cleaned


# The fields that clients write, with their rules; those of `CreateTask` and `UpdateTask`.
TASK_RULES: Final[Mapping[str, _Rule]] = {
    "task": _task,
    "description": _description,
    "completed": boolean,
}
_CREATE_RULES: Final = {**TASK_RULES, "uuid": _client_uuid}
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
        # Nearly every one: with one look at what is good.
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
    cleaned = _clean(data, _CREATE_RULES, required=("task",))
    return CreateTask(cleaned.pop("uuid", None), **cleaned)


def clean_update(task_id: str, data: Mapping[str, object], rev: int | None) -> UpdateTask:
    """Raises ValidationFailed."""
    return UpdateTask(task_id, rev=rev, **_clean(data, TASK_RULES))


def clean_operation(raw: object) -> Operation:
    """One operation of a batch; a bad one comes back as ``Refused``, with what is wrong."""
    try:
        if not isinstance(raw, dict):
            raise InvalidRequest("Must be a list of JSON objects.", key="ops")
        mode = raw.get("mode")
        if mode == "create":
            return clean_create(request_data(raw))
        if mode == "update":
            return clean_update(known_id(request_task_id(raw)), request_data(raw), request_rev(raw))
        if mode == "delete":
            return DeleteTask(known_id(request_task_id(raw)), request_rev(raw))
        raise InvalidRequest("Must be one of create, update, delete.", key="mode")
    except TaskbeamError as error:
        return Refused(error)


def clean_operations(raw: object) -> list[Operation]:
    """Raises InvalidRequest when it is no list of 1 to 100."""
    if not isinstance(raw, list) or not 1 <= len(raw) <= BATCH_MAX:
        raise InvalidRequest(f"Must be a list of 1 to {BATCH_MAX} operations.", key="ops")
    return [clean_operation(item) for item in raw]


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


def known_id(task_id: str) -> str:
    """The canonical form. Raises NotFound for a text that is no UUID: no task has such an id."""
    canonical = canonical_uuid(task_id)
    if canonical is None:
        raise NotFound
    return canonical


def clean_username(data: Mapping[str, object]) -> str:
    """A new account's name, in NFKC. Raises ValidationFailed."""
    username: str = _clean(data, {"username": _username}, ("username",))["username"]
    return username


def clean_new_password(data: Mapping[str, object], min_length: int) -> str:
    """A password to be set. Raises ValidationFailed."""

    def new_password(value: object) -> str:
        checks = (_no_shorter_password_than(min_length), _no_longer_than(PASSWORD_MAX_LENGTH))
        return _text(value, *checks, trim=False)

    password: str = _clean(data, {"password": new_password}, ("password",))["password"]
    return password


def clean_credentials(data: Mapping[str, object]) -> tuple[str, str]:
    """Username as given and password. Raises ValidationFailed."""
    cleaned = _clean(data, {"username": _name, "password": _secret}, ("username", "password"))
    return cleaned["username"], cleaned["password"]


def clean_current_password(data: Mapping[str, object]) -> str:
    """Raises ValidationFailed."""
    password: str = _clean(data, {"current_password": _secret}, ("current_password",))["current_password"]
    return password


def clean_token(data: Mapping[str, object], key: str) -> str:
    """The token under ``key``. Raises ValidationFailed."""
    token: str = _clean(data, {key: _text}, (key,))[key]
    return token
