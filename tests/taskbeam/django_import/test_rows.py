"""Rows of a Django application as SQLite and PostgreSQL give them, and those that cannot come in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Final
from uuid import UUID

import pytest

from shared.models import CreateTask, ImportTask, Token, User
from shared.store.django.rows import EndedTokenRow, TaskRow, UserRow
from taskbeam.django_import.rows import NotImportable, to_account, to_ended_token, to_task

_UUID: Final = "16f894b8-cb89-4672-9561-0b80cc75ae1b"
_SECONDS: Final = 1_709_208_061
_USER: Final = UserRow(7, "Ann", "!", 1, "2024-02-29 12:01:01.500000")
_TASK: Final = TaskRow(
    _UUID.replace("-", ""), 7, "Buy milk", None, 0, "2024-02-29 12:01:01", "2024-02-29 12:01:01.5"
)


def test_rows_of_sqlite() -> None:
    user, key = to_account(_USER)
    assert user == User(7, "Ann", "!", True, "2024-02-29T12:01:01.500000Z")
    assert key == "ann"
    assert to_task(_TASK) == (
        7,
        ImportTask(CreateTask(_UUID, "Buy milk", ""), _SECONDS * 1_000_000, _SECONDS * 1_000_000 + 500_000),
    )


def test_rows_of_postgresql() -> None:
    """Its driver gives UUIDs, and times with the offset of the session."""
    time = datetime(2024, 2, 29, 14, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    row = TaskRow(UUID(_UUID), 7, " Buy milk ", "2 litres", True, time, time)
    expected = CreateTask(_UUID, "Buy milk", "2 litres", completed=True)
    assert to_task(row) == (7, ImportTask(expected, _SECONDS * 1_000_000, _SECONDS * 1_000_000))
    assert to_account(UserRow(7, "Ann", "!", False, time)).user.date_joined == "2024-02-29T12:01:01.000000Z"


def test_ended_token() -> None:
    row = EndedTokenRow("jti", 7, "2024-02-29 12:01:01.9", datetime.fromtimestamp(_SECONDS + 60, UTC))
    assert to_ended_token(row) == Token("refresh", 7, "jti", _SECONDS, _SECONDS + 60, None)


def test_a_name_comes_in_nfkc() -> None:
    user, key = to_account(_USER._replace(username="\uff21nn"))
    assert (user.username, key) == ("Ann", "ann")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (_USER._replace(id=UUID(_UUID)), "no positive whole number"),
        (_USER._replace(id=0), "no positive whole number"),
        (_USER._replace(id=True), "no positive whole number"),
        (_USER._replace(username="two words"), "Enter a valid username"),
        (_USER._replace(username=b"ann"), "no text"),
        (_USER._replace(username="a\udcff"), "not UTF-8"),
        (_USER._replace(date_joined="yesterday"), "no time"),
        (_USER._replace(date_joined="1969-12-31 23:59:59"), "before 1970"),
        (_USER._replace(date_joined=None), "no text"),
    ],
)
def test_users_that_cannot_come_in(row: UserRow, reason: str) -> None:
    with pytest.raises(NotImportable, match=reason):
        to_account(row)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (_TASK._replace(uuid="no uuid"), "uuid: Must be a valid UUID"),
        (_TASK._replace(task=" "), "task: This field may not be blank"),
        (_TASK._replace(task=None), "no text"),
        (_TASK._replace(description="x" * 10_001), "no more than 10000 characters"),
        (_TASK._replace(description="a\0b"), "Null characters"),
        (_TASK._replace(description="a\udc80"), "not UTF-8"),
        (_TASK._replace(user_id=None), "no positive whole number"),
        (_TASK._replace(time_created=12), "no text"),
    ],
)
def test_tasks_that_cannot_come_in(row: TaskRow, reason: str) -> None:
    with pytest.raises(NotImportable, match=reason):
        to_task(row)
