"""The tables of users and of tasks are found by their columns."""

from __future__ import annotations

from typing import Final

import pytest

from shared.store.django.rows import SourceError, TaskRow, UserRow
from shared.store.django.tables import find_tables

_USERS: Final = {*UserRow._fields, "email", "is_staff"}
_TASKS: Final = {"id", *TaskRow._fields}
_APPLICATION: Final = {"auth_user": _USERS, "api_task": _TASKS, "django_session": {"id"}}


def test_tables_are_found_whatever_the_app_is_called() -> None:
    assert find_tables({"people_person": _USERS, "x_y": _TASKS, "z": set()}) == (
        "people_person",
        "x_y",
        False,
    )


def test_the_blacklist_is_there_with_both_its_tables() -> None:
    outstanding = {**_APPLICATION, "token_blacklist_outstandingtoken": {"id"}}
    assert not find_tables(outstanding).has_blacklist
    assert find_tables({**outstanding, "token_blacklist_blacklistedtoken": {"id"}}).has_blacklist


def test_a_table_of_history_is_none_of_tasks() -> None:
    history = {**_APPLICATION, "api_historicaltask": {*_TASKS, "history_id"}}
    assert find_tables(history).tasks == "api_task"


def test_of_several_one_must_be_named() -> None:
    two = {**_APPLICATION, "old_task": _TASKS}
    with pytest.raises(SourceError, match="api_task, old_task: say which with --tasks-table"):
        find_tables(two)
    assert find_tables(two, tasks_table="old_task").tasks == "old_task"


def test_a_named_table_must_be_there_with_its_columns() -> None:
    with pytest.raises(SourceError, match="there is no table people"):
        find_tables(_APPLICATION, users_table="people")
    with pytest.raises(SourceError, match="django_session has no column username, password"):
        find_tables(_APPLICATION, users_table="django_session")


def test_without_tables_there_is_nothing() -> None:
    with pytest.raises(SourceError, match="no table has the tasks"):
        find_tables({"auth_user": _USERS})
