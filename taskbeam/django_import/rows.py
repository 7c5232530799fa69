"""Rows of a Django application as accounts and tasks of ours, by the rules that clients are held to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from shared.clock import timestamp
from shared.decisions.imports import ImportedAccount
from shared.errors import ValidationFailed
from shared.models import ImportTask, Token, User
from shared.rules.accounts import clean_username, username_key
from shared.rules.tasks import clean_create
from shared.store.django.rows import EndedTokenRow, TaskRow, UserRow

T = TypeVar("T")

_ID_MAX: Final = 2**63 - 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class NotImportable(Exception):
    """A row that cannot come in; the message says why."""


def to_account(row: UserRow) -> ImportedAccount:
    """The account with the id that it has. Raises NotImportable."""
    user_id = _to_id(row.id)
    username = _clean(lambda: clean_username({"username": _to_text(row.username)}))
    key = username_key(username)
    if key is None:
        raise NotImportable("the username is too long")
    joined = timestamp(_to_microseconds(row.date_joined))
    user = User(user_id, username, _to_text(row.password), bool(row.is_active), joined)
    return ImportedAccount(user, key)


def to_task(row: TaskRow) -> tuple[int, ImportTask]:
    """Whose it is, and the task. Raises NotImportable."""
    data = {
        "uuid": str(row.uuid),
        "task": _to_text(row.task),
        "description": _to_text(row.description or ""),
        "completed": bool(row.completed),
    }
    task = _clean(lambda: clean_create(data))
    created, modified = _to_microseconds(row.time_created), _to_microseconds(row.time_modified)
    return _to_id(row.user_id), ImportTask(task, created, modified)


def to_ended_token(row: EndedTokenRow) -> Token:
    """A refresh token that must stay refused. Raises NotImportable."""
    issued, expires = _to_microseconds(row.issued), _to_microseconds(row.expires)
    user_id = _to_id(row.user_id)
    return Token("refresh", user_id, _to_text(row.jti), issued // 1_000_000, expires // 1_000_000, None)


def _clean(clean: Callable[[], T]) -> T:
    try:
        return clean()
    except ValidationFailed as failed:
        raise NotImportable(failed.sentence) from failed


def _to_id(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _ID_MAX:
        raise NotImportable(f"the id of a user is no positive whole number: {value!r}")
    return value


def _to_text(value: object) -> str:
    if not isinstance(value, str):
        raise NotImportable(f"no text: {value!r}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise NotImportable("a text that is not UTF-8") from error
    return value


def _to_microseconds(value: object) -> int:
    """Since the Unix epoch. SQLite has times as text, and Django writes UTC there."""
    try:
        time = value if isinstance(value, datetime) else datetime.fromisoformat(_to_text(value))
    except ValueError as error:
        raise NotImportable(f"no time: {value!r}") from error
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    microseconds = (time - _EPOCH) // timedelta(microseconds=1)
    if microseconds < 0:
        raise NotImportable(f"a time before 1970: {value}")
    return microseconds
