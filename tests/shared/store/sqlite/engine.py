"""SQLite, as the contract's suite wants an engine."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from shared.store import Store
from tests.shared.store.engine import Engine
from tests.shared.store.sqlite.sqlite_file import Statements, assert_sound, in_transaction, looking_at


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


class SqliteEngine(Engine):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.path = _path_in(folder)

    @staticmethod
    def url_in(folder: Path) -> str:
        return url_of(_path_in(folder))

    async def disable_user(self, user_id: int) -> None:
        self._execute("UPDATE users SET is_active = 0 WHERE id = ?", user_id)

    async def remove_user(self, user_id: int) -> None:
        self._execute("DELETE FROM users WHERE id = ?", user_id)

    async def revoke_tokens_until(self, user_id: int, seconds: int) -> None:
        self._execute("UPDATE users SET revoked_until = ? WHERE id = ?", seconds, user_id)

    async def revoke_family(self, sid: str) -> None:
        self._execute("UPDATE sessions SET revoked = 1 WHERE sid = ?", sid)

    async def remove_sessions(self, user_id: int) -> None:
        self._execute("DELETE FROM sessions WHERE user_id = ?", user_id)

    def _execute(self, statement: str, *values: object) -> None:
        with closing(sqlite3.connect(self.path, timeout=10)) as connection, connection:
            connection.execute(statement, values)

    async def kept(self) -> list[str]:
        with looking_at(self.path) as connection:
            return [
                row[0]
                for query in (
                    "SELECT sid FROM sessions",
                    "SELECT jti FROM rotated_tokens",
                    "SELECT sid FROM revocations",
                )
                for row in connection.execute(f"{query} ORDER BY 1")
            ]

    async def count_commits(self, store: Store) -> Callable[[], int]:
        statements = Statements()
        await statements.watch_writer(store)

        def count() -> int:
            assert statements.count("BEGIN IMMEDIATE") == statements.count("COMMIT")
            return statements.count("COMMIT")

        return count

    async def assert_idle(self, store: Store) -> None:
        assert not any(await in_transaction(store))

    async def assert_sound(self) -> None:
        assert_sound(self.path)


def _path_in(folder: Path) -> Path:
    return folder / "taskbeam.db"
