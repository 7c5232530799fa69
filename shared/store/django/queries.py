"""The statements that read a Django application's tables, the same for each engine that it may use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Protocol

from shared.store.django.rows import Counts, EndedTokenRow, TaskRow, UserRow
from shared.store.django.tables import BLACKLISTED_TOKENS, OUTSTANDING_TOKENS, Tables

_ROWS_AT_ONCE: Final = 1000


class Cursor(Protocol):
    """What is used of a DB-API 2.0 cursor (PEP 249)."""

    def execute(self, statement: str, /) -> object: ...
    def fetchmany(self, size: int, /) -> Sequence[Any]: ...
    def close(self) -> None: ...


class QueriedSource:
    """A ``Source`` that asks over cursors; what opened the connection has begun a transaction that sees one snapshot."""

    def __init__(self, new_cursor: Callable[[], Cursor], tables: Tables) -> None:
        self._new_cursor = new_cursor
        self._tables = tables

    def counts(self) -> Counts:
        return Counts(self._count(self._tables.users), self._count(self._tables.tasks))

    def _count(self, table: str) -> int:
        [(count,)] = self._rows(f"SELECT count(*) FROM {quoted(table)}")
        return int(count)

    def users(self) -> Iterator[UserRow]:
        columns = ", ".join(UserRow._fields)
        return map(
            UserRow._make, self._rows(f"SELECT {columns} FROM {quoted(self._tables.users)} ORDER BY id")
        )

    def tasks(self) -> Iterator[TaskRow]:
        columns = ", ".join(map(quoted, TaskRow._fields))
        return map(
            TaskRow._make,
            self._rows(f"SELECT {columns} FROM {quoted(self._tables.tasks)} ORDER BY time_created, uuid"),
        )

    def ended_tokens(self) -> Iterator[EndedTokenRow]:
        if not self._tables.has_blacklist:
            return iter(())
        return map(
            EndedTokenRow._make,
            self._rows(
                "SELECT issued.jti, issued.user_id, issued.created_at, issued.expires_at "
                f"FROM {OUTSTANDING_TOKENS} AS issued JOIN {BLACKLISTED_TOKENS} AS ended ON ended.token_id = issued.id "
                "ORDER BY issued.id"
            ),
        )

    def _rows(self, statement: str) -> Iterator[Any]:
        cursor = self._new_cursor()
        try:
            cursor.execute(statement)
            while rows := cursor.fetchmany(_ROWS_AT_ONCE):
                yield from rows
        finally:
            cursor.close()


def quoted(name: str) -> str:
    """A name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'
