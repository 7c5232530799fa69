"""Which tables of a Django application have the users and the tasks: found by their columns, since apps name them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from shared.store.django.rows import SourceError, TaskRow, UserRow

OUTSTANDING_TOKENS: Final = "token_blacklist_outstandingtoken"
BLACKLISTED_TOKENS: Final = "token_blacklist_blacklistedtoken"
_HISTORY: Final = (
    "history_id"  # a table of django-simple-history, which has all columns of the one that it follows
)


class Tables(NamedTuple):
    """Names of tables. ``has_blacklist``: whether simplejwt's two are there."""

    users: str
    tasks: str
    has_blacklist: bool


def find_tables(
    columns: Mapping[str, Collection[str]], users_table: str | None = None, tasks_table: str | None = None
) -> Tables:
    """Find the tables.

    Args:
        columns: of each table of the database.
        users_table: the one with the users, where that was said.
        tasks_table: the one with the tasks, where that was said.

    Raises:
        SourceError: there is none, or more than one.
    """
    return Tables(
        _find(columns, "users", UserRow._fields, users_table),
        _find(columns, "tasks", TaskRow._fields, tasks_table),
        columns.keys() >= {OUTSTANDING_TOKENS, BLACKLISTED_TOKENS},
    )


def _find(
    columns: Mapping[str, Collection[str]], what: str, needed: tuple[str, ...], named: str | None
) -> str:
    if named is not None:
        if named not in columns:
            raise SourceError(f"there is no table {named}")
        if missing := [column for column in needed if column not in columns[named]]:
            raise SourceError(f"the table {named} has no column {', '.join(missing)}")
        return named
    found = sorted(table for table, its in columns.items() if set(needed) <= set(its) and _HISTORY not in its)
    if not found:
        raise SourceError(f"no table has the {what}: none has the columns {', '.join(needed)}")
    if len(found) > 1:
        raise SourceError(
            f"several tables may have the {what}, {', '.join(found)}: say which with --{what}-table"
        )
    return found[0]
