"""Opening the database of a Django application: a line for each engine that it may use."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from shared.store.django.postgresql import open_postgresql
from shared.store.django.rows import Source, SourceError
from shared.store.django.sqlite import open_sqlite

_SCHEMES: Final[dict[str, Callable[[str, str | None, str | None], AbstractContextManager[Source]]]] = {
    "postgresql": open_postgresql,
    "postgres": open_postgresql,
}


def open_source(
    given: str, *, users_table: str | None = None, tasks_table: str | None = None
) -> AbstractContextManager[Source]:
    """Open it to be read, one snapshot of it.

    Args:
        given: a ``postgresql://`` URL, or the path of an SQLite file.
        users_table: the table with the users, where it is not to be found by its columns.
        tasks_table: the table with the tasks, likewise.

    Raises:
        SourceError: it cannot be read, or has no such tables; also while it is read.
    """
    scheme, separator, _ = given.partition("://")
    if separator and scheme not in _SCHEMES:
        raise SourceError(f"{scheme}:// is not read: give the path of an SQLite file, or a postgresql:// URL")
    return _SCHEMES.get(scheme if separator else "", open_sqlite)(given, users_table, tasks_table)
